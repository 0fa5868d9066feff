"""One partition: its batches, what its producers have sent, and its open transactions."""

import struct
import time
from bisect import bisect_left
from collections import deque, namedtuple
from typing import NamedTuple

from streams.broker.embedded.answering import ErrorCode, RefusedError
from streams.broker.embedded.wire import Message

TRANSACTIONAL, _CONTROL = 0x10, 0x20
_HEADER = struct.Struct(">qiibIhiqqqhii")
Header = namedtuple(  # noqa: PYI024 - thirteen whole numbers, named as in Kafka's description
    "Header",
    "base length leader_epoch magic crc attributes last_delta first_timestamp max_timestamp"
    " producer_id epoch sequence size",
)


_Sent = deque[tuple[Header, int]]  # an idempotent producer's batches and where they went
_REMEMBERED = 5  # of them may be repeated by a retry; Kafka keeps as many


class Batch(NamedTuple):
    """A batch as stored, opaque but for its header: last offset, latest timestamp (ms) and bytes."""

    last: int
    timestamp: int
    data: bytes


def read_header(records: bytes | memoryview) -> Header:
    """Return the header of a produced batch; raises INVALID_RECORD if it is not exactly one."""
    if len(records) >= _HEADER.size:
        header = Header._make(_HEADER.unpack_from(records))
        whole = header.length + 12 == len(records) and header.last_delta == header.size - 1 >= 0
        if header.magic == 2 and whole:  # noqa: PLR2004 - the format's number
            return header
    raise RefusedError(ErrorCode.INVALID_RECORD, "not exactly one record batch of format 2")


def control_batch(producer_id: int, epoch: int, commit: bool) -> bytes:
    """Return the marker that commits or aborts a producer's transaction on one partition."""
    record = struct.pack(">5B2h B hi B", 32, 0, 0, 0, 8, 0, commit, 12, 0, 0, 0)
    now = time.time_ns() // 1_000_000
    kind = TRANSACTIONAL | _CONTROL
    tail = struct.pack(">hiqqqhii", kind, 0, now, now, producer_id, epoch, -1, 1) + record
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail


def crc32c(data: bytes) -> int:
    """Return the Castagnoli checksum, bit by bit: only the short control batches need it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class PartitionLog:
    """Batches in offset order; raises RefusedError with Kafka's own codes."""

    def __init__(self) -> None:
        self.start = self.end = self.size = 0
        self._aborted: list[Message] = []
        self._batches: list[Batch] = []
        self._open: dict[int, int] = {}
        self._sent: dict[int, tuple[int, _Sent]] = {}

    @property
    def last_stable(self) -> int:
        """The offset up to which every transaction is decided."""
        return max(self.start, min(self._open.values(), default=self.end))

    def append(self, records: memoryview, max_bytes: int) -> int:
        """Append one batch and return its first offset; a repeated batch returns the old one."""
        header = read_header(records)
        if len(records) > max_bytes:
            raise RefusedError(ErrorCode.MSG_SIZE_TOO_LARGE)
        if header.producer_id >= 0:
            repeated = self._check_sequence(header)
            if repeated is not None:
                return repeated
            if header.attributes & TRANSACTIONAL:
                self._open.setdefault(header.producer_id, self.end)
        return self._store(header, records)

    def _check_sequence(self, header: Header) -> int | None:
        epoch, recent = self._sent.get(header.producer_id) or (header.epoch, _Sent())
        if header.epoch < epoch:
            raise RefusedError(ErrorCode.INVALID_PRODUCER_EPOCH)
        if header.epoch > epoch:
            expected, recent = 0, _Sent()
        else:
            for known, base in recent:
                if (known.sequence, known.size) == (header.sequence, header.size):
                    return base
            sent = recent[-1][0] if recent else None
            expected = (sent.sequence + sent.size) & 0x7FFFFFFF if sent else header.sequence
        if header.sequence != expected:
            raise RefusedError(ErrorCode.OUT_OF_ORDER_SEQUENCE)
        recent.append((header, self.end))
        self._sent[header.producer_id] = header.epoch, _Sent(recent, maxlen=_REMEMBERED)
        return None

    def _store(self, header: Header, records: bytes | memoryview) -> int:
        # The checksum does not cover the first 12 bytes and the leader epoch (here: unknown).
        base, data = self.end, struct.pack(">qii", self.end, header.length, -1) + records[16:]
        self._batches.append(Batch(base + header.last_delta, header.max_timestamp, data))
        self.end, self.size = base + header.last_delta + 1, self.size + len(data)
        return base

    def decide(self, producer_id: int, epoch: int, commit: bool) -> None:
        """End the producer's transaction here with a control batch."""
        first = self._open.pop(producer_id, None)
        if first is not None and not commit:
            self._aborted.append({"producer_id": producer_id, "first": first, "marker": self.end})
        known, recent = self._sent.get(producer_id) or (epoch, _Sent())
        self._sent[producer_id] = epoch, recent if known == epoch else _Sent()
        marker = control_batch(producer_id, epoch, commit)
        self._store(read_header(marker), marker)

    def read(self, offset: int, upto: int, max_bytes: int, at_least_one: bool) -> list[bytes]:
        """Return whole batches from `offset` that end before `upto`, within `max_bytes`."""
        chunks: list[bytes] = []
        for at in range(self._position(offset), len(self._batches)):
            batch = self._batches[at]
            max_bytes -= len(batch.data)
            if batch.last >= upto or (max_bytes < 0 and (chunks or not at_least_one)):
                break
            chunks.append(batch.data)
        return chunks

    def aborted_in(self, offset: int, upto: int) -> list[Message]:
        """Return the aborted transactions that touch the offsets in [offset, upto)."""
        return [one for one in self._aborted if one["marker"] >= offset and one["first"] < upto]

    def truncate(self, offset: int) -> None:
        """Forget everything before `offset` (the high watermark at most)."""
        self.start = max(self.start, offset)
        gone = self._position(self.start)
        self.size -= sum(len(batch.data) for batch in self._batches[:gone])
        del self._batches[:gone]
        self._aborted = [one for one in self._aborted if one["marker"] >= self.start]

    def retain(self, max_bytes: int, max_ms: int) -> None:
        """Forget the oldest decided batches beyond a size or age; negative means no limit."""
        oldest = time.time() * 1000 - max_ms if max_ms >= 0 else 0
        excess = self.size - max_bytes if max_bytes >= 0 else 0
        keep_from = self.start
        for batch in self._batches:
            expired = excess >= len(batch.data) or 0 <= batch.timestamp < oldest
            if not expired or batch.last >= self.last_stable:
                break
            excess, keep_from = excess - len(batch.data), batch.last + 1
        self.truncate(keep_from)

    def _position(self, offset: int) -> int:
        return bisect_left(self._batches, offset, key=lambda batch: batch.last)
