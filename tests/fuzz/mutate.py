"""New inputs out of known ones, where no coverage-guided fuzzer is installed; and for short tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

_ODD = [
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"-1",
    b"9" * 30,
    b"1e999",
    b"\xff\xff\xff\xff",
    b"[" * 300,
    b"\n",
]
_MOST_CHANGES = 4


def mutated(chance: random.Random, seeds: Sequence[bytes], words: Sequence[bytes], longest: int) -> bytes:
    """One of the seeds with a few changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, _MOST_CHANGES)):
        _change(chance, data, seeds, words)
    return bytes(data[:longest])


def _change(chance: random.Random, data: bytearray, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    at = chance.randint(0, len(data))
    end = min(len(data), at + chance.choice([1, 2, 4, 8, 32]))
    match chance.randrange(6):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = chance.choice([*words, *_ODD])
        case 3:
            data[at:end] = chance.choice([*words, *_ODD])
        case 4:
            data[at:at] = data[at:end] * chance.choice([1, 3, 50])
        case _:
            other = chance.choice(seeds)
            data[at:] = other[chance.randint(0, len(other)) :]
