"""Record batches, which stay opaque but for their header: clients made them, clients open them."""

import struct
import time
from collections import namedtuple

from streams.broker.embedded.messages import ErrorCode, RefusedError
from streams.broker.embedded.wire import Reader, uvarint

_HEADER = struct.Struct(">qiibIhiqqqhii")
_MAGIC, _FRONT, TRANSACTIONAL, _CONTROL, _COMPRESSED = 2, 12, 0x10, 0x20, 0x07

Header = namedtuple(  # noqa: PYI024 - thirteen whole numbers, named as in Kafka's description
    "Header",
    "base length leader_epoch magic crc attributes last_delta first_timestamp max_timestamp"
    " producer_id epoch sequence size",
)


def read_header(records: memoryview) -> Header:
    """Return the header of a produced batch; raises INVALID_RECORD if it is not exactly one."""
    if len(records) >= _HEADER.size:
        header = Header._make(_HEADER.unpack_from(records))
        whole = header.length + _FRONT == len(records) and header.size > 0
        if header.magic == _MAGIC and whole and header.last_delta == header.size - 1:
            return header
    raise RefusedError(ErrorCode.INVALID_RECORD, "not exactly one record batch of format 2")


def record_at(data: bytes, timestamp: int) -> tuple[int, int]:
    """Return (offset, timestamp) of the first record at or after a timestamp (ms).

    A compressed batch is not opened: its first offset stands for all of it.
    """
    header = Header._make(_HEADER.unpack_from(data))
    if header.attributes & _COMPRESSED:
        return header.base, header.max_timestamp
    reader = Reader(data)
    reader.at = _HEADER.size
    for _ in range(header.size):
        record = Reader(reader.take(reader.varint()))
        record.take(1)
        at = header.first_timestamp + record.varint()
        offset = header.base + record.varint()
        if at >= timestamp:
            return offset, at
    return header.base + header.last_delta, header.max_timestamp


def control_batch(producer_id: int, epoch: int, commit: bool) -> bytes:
    """Return the marker that commits or aborts a producer's transaction on one partition."""
    key, value = struct.pack(">hh", 0, commit), struct.pack(">hi", 0, 0)
    body = b"\0\0\0" + uvarint(len(key) * 2) + key + uvarint(len(value) * 2) + value + b"\0"
    record = uvarint(len(body) * 2) + body
    now = time.time_ns() // 1_000_000
    kind = TRANSACTIONAL | _CONTROL
    tail = struct.pack(">hiqqqhii", kind, 0, now, now, producer_id, epoch, -1, 1) + record
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, _MAGIC, crc32c(tail)) + tail


def crc32c(data: bytes) -> int:
    """Return the Castagnoli checksum, bit by bit: only the short control batches need it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
