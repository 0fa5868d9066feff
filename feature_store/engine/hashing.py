"""128 bits that stand for an entity, or for a value of it: SipHash-2-4-128 (Aumasson, Bernstein, 2012).

Parts of a composite are chained: the digest of one is the key of the next, so that ``ab, c`` and ``a, bc``
differ. The first key is fixed: snapshots hold digests, and every worker must find the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.engine.compiled import compiled, inlined

if TYPE_CHECKING:
    from feature_store.engine.layout import Ints, Word

_FIRST = (0x736C756963656761, 0x746520656E746974)


@inlined
def _rotate(word: Any, bits: Word) -> Any:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


@inlined
def _round(v0: Any, v1: Any, v2: Any, v3: Any) -> tuple[Any, Any, Any, Any]:
    v0 += v1
    v2 += v3
    v1 = _rotate(v1, 13) ^ v0
    v3 = _rotate(v3, 16) ^ v2
    v0 = _rotate(v0, 32)
    v2 += v1
    v0 += v3
    v1 = _rotate(v1, 17) ^ v2
    v3 = _rotate(v3, 21) ^ v0
    v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


@inlined
def _siphash(data: Any, start: Word, end: Word, key0: Any, key1: Any) -> tuple[Any, Any]:
    v0 = key0 ^ np.uint64(0x736F6D6570736575)
    v1 = key1 ^ np.uint64(0x646F72616E646F83)
    v2 = key0 ^ np.uint64(0x6C7967656E657261)
    v3 = key1 ^ np.uint64(0x7465646279746573)
    length = end - start
    whole = start + (length & ~7)
    for at in range(start, whole, 8):
        word = np.uint64(0)
        for byte in range(8):
            word |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    word = np.uint64(length & 0xFF) << np.uint64(56)
    for byte in range(length & 7):
        word |= np.uint64(data[whole + byte]) << np.uint64(8 * byte)
    v3 ^= word
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= word
    v2 ^= np.uint64(0xEE)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    first = v0 ^ v1 ^ v2 ^ v3
    v1 ^= np.uint64(0xDD)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return first, v0 ^ v1 ^ v2 ^ v3


@compiled
def _chain_texts(offsets: Any, data: Any, present: Any, digests: Any) -> None:
    for row in range(len(digests)):
        if digests[row, 0] == 0 and digests[row, 1] == 0:
            continue
        if not present[row]:
            digests[row, 0] = 0
            digests[row, 1] = 0
            continue
        low, high = _siphash(
            data, offsets[row], offsets[row + 1], np.uint64(digests[row, 0]), np.uint64(digests[row, 1])
        )
        digests[row, 0] = np.int64(low)
        digests[row, 1] = np.int64(high)


def start_digests(rows: int) -> Ints:
    """Digests of nothing yet, to be chained; (rows, 2)."""
    digests = np.empty((rows, 2), np.int64)
    digests[:] = _FIRST
    return digests


def chain(digests: Ints, column: tuple[Any, Any, Any]) -> None:
    """Chain a column onto ``digests``, in place; a null makes the whole digest zero.

    ``column`` is (offsets, bytes, whether there is a value), as ``inputs.hashable`` gives it.
    """
    offsets, data, present = column
    _chain_texts(offsets, data, present, digests)
