"""Which partition Kafka's clients give a key: ``murmur2_random``, in every language the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEED = np.uint32(0x9747B28C)
_M = np.uint32(0x5BD1E995)
_R = np.uint32(24)
_POSITIVE = np.uint32(0x7FFFFFFF)


def partitions_of(keys: pa.Array[Any], partitions: int) -> NDArray[np.int32]:
    """The partition of every key, given as text; no key may be null, since Kafka draws lots for those."""
    if keys.null_count:
        raise ValueError("an event without a key has no partition of its own")
    encoded = keys.dictionary_encode()
    of_key = (_murmur2(encoded.dictionary) & _POSITIVE) % np.uint32(partitions)
    found: NDArray[np.int32] = of_key.astype(np.int32)[encoded.indices.to_numpy()]
    return found


def _murmur2(keys: pa.Array[Any]) -> NDArray[np.uint32]:
    """Austin Appleby's MurmurHash2 with Kafka's seed, of the UTF-8 bytes of every key, word by word."""
    data, starts, lengths = _bytes_of(keys)
    words = lengths // 4
    hashed = _SEED ^ lengths.astype(np.uint32)
    for word in range(int(words.max(initial=0))):
        still = np.flatnonzero(words > word)
        at = starts[still] + 4 * word
        k = _little_endian(data, at, 4) * _M
        k = (k ^ (k >> _R)) * _M
        hashed[still] = (hashed[still] * _M) ^ k
    tails = lengths % 4
    for length in (1, 2, 3):
        still = np.flatnonzero(tails == length)
        tail = _little_endian(data, starts[still] + 4 * words[still], length)
        hashed[still] = (hashed[still] ^ tail) * _M
    hashed = (hashed ^ (hashed >> np.uint32(13))) * _M
    return hashed ^ (hashed >> np.uint32(15))


def _little_endian(data: NDArray[np.uint8], at: NDArray[np.int64], length: int) -> NDArray[np.uint32]:
    value = np.zeros(len(at), np.uint32)
    for byte in range(length):
        value |= data[at + byte].astype(np.uint32) << np.uint32(8 * byte)
    return value


def _bytes_of(keys: pa.Array[Any]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    binary = keys.cast(pa.large_binary())
    _, offsets, data = binary.buffers()
    ends = np.frombuffer(memoryview(offsets or b""), np.int64)[binary.offset : binary.offset + len(keys) + 1]
    raw = np.frombuffer(memoryview(data) if data else b"", np.uint8)
    return raw, ends[:-1], np.diff(ends)
