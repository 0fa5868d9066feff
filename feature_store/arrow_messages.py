"""Arrow batches that came from elsewhere: what is read takes no more memory than the bytes it came as.

Arrow checks that a message is well formed. It does not check that values lie inside of it, and a few bytes
may ask for ever so much memory: compressed ones, rows that take no bytes, lists that share their items.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import types

if TYPE_CHECKING:
    from collections.abc import Mapping

_MESSAGES = ("schema", "record batch")
_FEWEST_BITS = 1
_VTABLE_HEAD = 4
_HEADER, _COMPRESSION = 2, 3
"""Fields of Arrow's flatbuffers Message and RecordBatch, by their number."""


def read_stream(source: pa.BufferReader) -> tuple[pa.RecordBatch, Mapping[bytes, bytes] | None]:
    """The batch of a stream that has one, and the metadata of its schema; ``source`` then stands behind it.

    Raises pa.ArrowInvalid for what is not taken, and whatever Arrow raises of bytes that are no stream.
    """
    _refuse_bombs(source)
    with pa.ipc.open_stream(source) as stream:
        schema = stream.schema
        for kind in schema.types:
            if not _is_plain(kind):
                raise pa.ArrowInvalid(f"columns of the type {kind} are not taken")
        if len(set(schema.names)) < len(schema):
            raise pa.ArrowInvalid("two columns have one name")
        batch = stream.read_next_batch()
        with suppress(StopIteration):  # reads the end of this stream, so that the next one can be opened
            stream.read_next_batch()
        batch.validate(full=True)
        return batch, schema.metadata


def _refuse_bombs(source: pa.BufferReader) -> None:
    """Raise ArrowInvalid for a stream whose batches are not what they take; ``source`` is put back."""
    start = source.tell()
    first, second = pa.ipc.read_message(source), pa.ipc.read_message(source)
    if (first.type, second.type) != _MESSAGES:
        raise pa.ArrowInvalid(f"it begins with {first.type}, {second.type}")
    if _is_compressed(second.metadata):
        raise pa.ArrowInvalid("it is compressed")
    source.seek(start)


def _is_compressed(metadata: pa.Buffer) -> bool:
    """Whether a record batch names a codec. Arrow has verified the flatbuffer when it read the message."""
    data = memoryview(metadata)
    root = struct.unpack_from("<I", data)[0]
    header = _field(data, root, _HEADER)
    if header is None:
        return False
    batch = header + struct.unpack_from("<I", data, header)[0]
    return _field(data, batch, _COMPRESSION) is not None


def _field(data: memoryview, table: int, number: int) -> int | None:
    """Where a field of a flatbuffers table stands; None where it is not there."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    at = _VTABLE_HEAD + 2 * number
    if at >= struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", data, vtable + at)[0]
    return table + offset if offset else None


@lru_cache(256)
def _is_plain(kind: pa.DataType) -> bool:
    """Whether every value takes bytes of its own."""
    if types.is_list(kind):
        return _is_plain(_items(kind))
    if types.is_fixed_size_binary(kind):
        return kind.bit_width >= _FEWEST_BITS
    return (
        types.is_primitive(kind)
        or types.is_decimal(kind)
        or types.is_string(kind)
        or types.is_binary(kind)
        or types.is_large_string(kind)
        or types.is_large_binary(kind)
    )


def _items(kind: Any) -> pa.DataType:
    found: pa.DataType = kind.value_type
    return found
