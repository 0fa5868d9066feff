"""One snapshot as one object.

::

    magic (8 bytes) | version, length of the header (uint32 each, little-endian)
    header (JSON)   | the arrays, each compressed on its own | SHA-256 of all before

Everything is checked before anything is used: nothing is unpickled, and what does not fit is refused whole.
Encoding leaves the GIL to others while it compresses and hashes.
"""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.errors import CorruptSnapshotError

MAGIC = b"SLUICESN"
VERSION = 1
_START = struct.Struct("<8sII")
_DIGEST = hashlib.sha256().digest_size
_PLAIN = frozenset("biufSU")  # numpy's kinds without pointers in them
_CODEC: Literal["zstd"] = "zstd"
_LEVEL = 1
_ALWAYS_TAKEN = 256 << 20
_MOST_GROWTH = 1_000
"""By so much, beyond the bytes above, may a snapshot grow when it is read: keys hardly compress at all."""

Arrays = dict[str, np.ndarray]


class PartitionPosition(msgspec.Struct, frozen=True):
    """Where the state of one source partition stands.

    ``events`` and ``outcomes`` are the next offsets of the two inputs, ``route_seq`` the last delta that was
    applied, ``release_epoch`` and ``policy_offset`` the newest release and policy it was decided under.
    ``log_offset`` is the offset of the last feature log message that is in the state, -1 where there was
    none; ``log_digest`` stands for that message, so that a log of the same name with another content is told
    from it. ``history`` is the last ``seq`` of past events that came into the state without being in the log,
    0 where there were none. ``claim`` and ``claimed_at`` say under which claim of the log it was taken.
    """

    events: int
    outcomes: int = 0
    route_seq: int = 0
    release_epoch: int = 0
    log_offset: int = -1
    log_digest: str = ""
    history: int = 0
    policy_offset: int = -1
    claim: int = 0
    claimed_at: int = -1


class Snapshot(msgspec.Struct, frozen=True):
    """Committed state of one unit: what it is, where it stands, and its arrays.

    ``unit`` is ``partition-3``, or ``all`` where one state covers all partitions. ``layouts`` says how each
    group of features is laid out, ``seq`` is the last applied order, ``taken_at`` real time in us.
    """

    pipeline: str
    unit: str
    positions: dict[int, PartitionPosition]
    layouts: dict[str, str]
    seq: int
    taken_at: int
    arrays: Arrays


class _Entry(msgspec.Struct, frozen=True):
    name: str
    dtype: str
    shape: list[int]
    offset: int
    stored: int


class _Header(msgspec.Struct, frozen=True):
    pipeline: str
    unit: str
    positions: dict[str, PartitionPosition]
    layouts: dict[str, str]
    seq: int
    taken_at: int
    arrays: list[_Entry]


def encode_snapshot(snapshot: Snapshot) -> memoryview:
    """The object of a snapshot. Raises TypeError for an array that is not plain numbers."""
    codec = pa.Codec(_CODEC, compression_level=_LEVEL)
    entries: list[_Entry] = []
    blocks: list[pa.Buffer] = []
    offset = 0
    for name, array in snapshot.arrays.items():
        plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        if plain.dtype.kind not in _PLAIN:
            raise TypeError(f"{name}: a snapshot holds plain arrays, not {plain.dtype}")
        block = codec.compress(plain.reshape(-1).view(np.uint8).data) if plain.nbytes else pa.py_buffer(b"")
        entries.append(_Entry(name, plain.dtype.str, list(array.shape), offset, len(block)))
        blocks.append(block)
        offset += len(block)
    header = msgspec.json.encode(
        _Header(
            snapshot.pipeline,
            snapshot.unit,
            {str(partition): position for partition, position in snapshot.positions.items()},
            snapshot.layouts,
            snapshot.seq,
            snapshot.taken_at,
            entries,
        )
    )
    return _joined([_START.pack(MAGIC, VERSION, len(header)), header, *blocks])


def _joined(parts: list[bytes | pa.Buffer]) -> memoryview:
    """The parts and their digest as one piece; joining bytes would hold the GIL for all of it."""
    data = np.empty(sum(map(len, parts)) + _DIGEST, np.uint8)
    digest, end = hashlib.sha256(), 0
    for part in parts:
        digest.update(part)
        data[end : end + len(part)] = np.frombuffer(memoryview(part), np.uint8)
        end += len(part)
    data[end:] = np.frombuffer(digest.digest(), np.uint8)
    return data.data


def decode_snapshot(data: bytes) -> Snapshot:
    """The snapshot in an object; its arrays are its own and may be written to.

    Raises CorruptSnapshotError saying what does not fit.
    """
    header_size = _checked(data)
    start = _START.size + header_size
    body = memoryview(data)[start:-_DIGEST]
    if start > len(data) - _DIGEST:
        raise CorruptSnapshotError(f"its header ends at byte {start}, beyond its end")
    try:
        header = msgspec.json.decode(data[_START.size : start], type=_Header)
        positions = {int(partition): position for partition, position in header.positions.items()}
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise CorruptSnapshotError(f"its header does not say what a snapshot needs: {error}") from error
    kinds = [_kind(entry) for entry in header.arrays]
    _refuse_grown(header.arrays, kinds, len(body))
    return Snapshot(
        header.pipeline,
        header.unit,
        positions,
        header.layouts,
        header.seq,
        header.taken_at,
        {entry.name: _array(entry, kind, body) for entry, kind in zip(header.arrays, kinds, strict=True)},
    )


def _checked(data: bytes) -> int:
    """The length of the header of an undamaged object."""
    if len(data) < _START.size + _DIGEST:
        raise CorruptSnapshotError(f"it is cut short: {len(data)} bytes")
    magic, version, header_size = _START.unpack_from(data)
    if magic != MAGIC:
        raise CorruptSnapshotError("it is not a snapshot: it begins with other bytes")
    if hashlib.sha256(memoryview(data)[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise CorruptSnapshotError("it is cut short or altered: its SHA-256 does not fit")
    if version != VERSION:
        raise CorruptSnapshotError(f"it has version {version}, this release reads {VERSION}")
    return int(header_size)


def _kind(entry: _Entry) -> np.dtype[Any]:
    try:
        kind = np.dtype(entry.dtype)
    except TypeError as error:
        raise CorruptSnapshotError(f"array {entry.name!r}: {entry.dtype!r} is no type") from error
    if kind.kind not in _PLAIN or kind.itemsize == 0 or min(entry.shape, default=0) < 0:
        raise CorruptSnapshotError(
            f"array {entry.name!r}: {entry.dtype!r} {entry.shape} is not plain numbers"
        )
    return kind


def _refuse_grown(entries: list[_Entry], kinds: list[np.dtype[Any]], stored: int) -> None:
    """Raise CorruptSnapshotError where few bytes claim to be ever so many: no state compresses so well."""
    claimed = sum(_size(entry, kind) for entry, kind in zip(entries, kinds, strict=True))
    if sum(entry.stored for entry in entries) > stored:
        raise CorruptSnapshotError("an array lies outside of it, or two lie over each other")
    if claimed > _ALWAYS_TAKEN + _MOST_GROWTH * stored:
        raise CorruptSnapshotError(f"{stored} bytes of it claim to be {claimed}")


def _size(entry: _Entry, kind: np.dtype[Any]) -> int:
    return math.prod(entry.shape) * kind.itemsize


def _array(entry: _Entry, kind: np.dtype[Any], body: memoryview) -> np.ndarray:
    size = _size(entry, kind)
    block = body[entry.offset : entry.offset + entry.stored] if entry.offset >= 0 else body[:0]
    if len(block) != entry.stored:
        raise CorruptSnapshotError(f"array {entry.name!r} lies outside of it")
    try:
        if size == 0:
            return np.empty(entry.shape, kind)
        raw = pa.Codec(_CODEC).decompress(block, decompressed_size=size)
        flat = np.frombuffer(memoryview(raw), kind)
        return np.array(flat.reshape(entry.shape), kind.newbyteorder("="))
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise CorruptSnapshotError(f"array {entry.name!r} cannot be read: {error}") from error
