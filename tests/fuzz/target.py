"""What is fuzzed: a reader of bytes that somebody else may write, and what it may say to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Ready:
    """A reader made ready.

    ``check`` gives it bytes and returns where it did what it may: took them, or refused them by the errors
    that its callers handle. Anything raised is a finding.
    """

    check: Callable[[bytes], None]
    seeds: Sequence[bytes]
    """Sound ones, and those that once were findings."""
    words: Sequence[bytes] = ()
    """Pieces of its language, for who makes new inputs."""


@dataclass(frozen=True)
class Target:
    """One reader. ``prepare`` gets a folder of its own and a way to be told of the end."""

    name: str
    reads: str
    """What it is given, for people."""
    prepare: Callable[[Path], Ready]
    longest: int = 4_096
    """Bytes of the longest input that is made."""


def pieces(data: bytes, count: int) -> list[bytes]:
    """``data`` as ``count`` pieces, cut where the mark stands; those that are missing are empty."""
    found = data.split(MARK, count - 1)
    return found + [b""] * (count - len(found))


MARK = b"\n--\n"
"""Between the pieces of an input that has several."""
