"""One partition: its batches, what its producers have sent, and its open transactions."""

import struct
import time
from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from streams.broker.embedded.batches import TRANSACTIONAL, Header, control_batch, read_header, record_at
from streams.broker.embedded.messages import ErrorCode, RefusedError

if TYPE_CHECKING:
    import asyncio

REMEMBERED = 5  # batches per producer that a retry may repeat; Kafka keeps as many


class Batch(NamedTuple):
    """A batch as stored: its first and last offset, latest timestamp (ms) and bytes."""

    base: int
    last: int
    timestamp: int
    data: bytes


class Aborted(NamedTuple):
    """A transaction whose records between `first` and `marker` nobody may see."""

    producer_id: int
    first: int
    marker: int


class Sent(NamedTuple):
    """An idempotent producer's batch: its first and last sequence number, and where it went."""

    first: int
    last: int
    base: int


class PartitionLog:
    """Batches in offset order; raises RefusedError with Kafka's own codes."""

    def __init__(self) -> None:
        self.start = self.end = self.size = 0
        self.aborted: list[Aborted] = []
        self.watchers: set[asyncio.Event] = set()
        self._batches: list[Batch] = []
        self._open: dict[int, int] = {}
        self._sent: dict[int, tuple[int, deque[Sent]]] = {}

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
        epoch, recent = self._sent.get(header.producer_id) or (header.epoch, deque[Sent]())
        if header.epoch < epoch:
            raise RefusedError(ErrorCode.INVALID_PRODUCER_EPOCH)
        last = (header.sequence + header.size - 1) & 0x7FFFFFFF
        if header.epoch > epoch:
            expected, recent = 0, deque[Sent]()
        else:
            for sent in recent:
                if (sent.first, sent.last) == (header.sequence, last):
                    return sent.base
            expected = (recent[-1].last + 1) & 0x7FFFFFFF if recent else header.sequence
        if header.sequence != expected:
            raise RefusedError(ErrorCode.OUT_OF_ORDER_SEQUENCE)
        recent.append(Sent(header.sequence, last, self.end))
        self._sent[header.producer_id] = (header.epoch, deque(recent, maxlen=REMEMBERED))
        return None

    def _store(self, header: Header, records: memoryview | bytes) -> int:
        # The checksum does not cover the first 12 bytes and the leader epoch (here: unknown).
        base, last = self.end, self.end + header.last_delta
        data = struct.pack(">qii", base, header.length, -1) + records[16:]
        self._batches.append(Batch(base, last, header.max_timestamp, data))
        self.end, self.size = last + 1, self.size + len(data)
        self.wake()
        return base

    def wake(self) -> None:
        """Let those who wait for this partition look again."""
        for event in self.watchers:
            event.set()

    def decide(self, producer_id: int, epoch: int, commit: bool) -> None:
        """End the producer's transaction here with a control batch."""
        first = self._open.pop(producer_id, None)
        if first is not None and not commit:
            self.aborted.append(Aborted(producer_id, first, self.end))
        known, recent = self._sent.get(producer_id) or (epoch, deque[Sent]())
        self._sent[producer_id] = (epoch, recent if known == epoch else deque())
        marker = control_batch(producer_id, epoch, commit)
        self._store(read_header(memoryview(marker)), marker)

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

    def aborted_in(self, offset: int, upto: int) -> list[Aborted]:
        """Return the aborted transactions that touch the offsets in [offset, upto)."""
        return [one for one in self.aborted if one.marker >= offset and one.first < upto]

    def at_time(self, timestamp: int) -> tuple[int, int]:
        """Return (offset, timestamp) of the first record at or after; (-1, -1) if none is."""
        for batch in self._batches[self._position(self.start) :]:
            if batch.timestamp >= timestamp:
                return record_at(batch.data, timestamp)
        return -1, -1

    def truncate(self, offset: int) -> None:
        """Forget everything before `offset` (the high watermark at most)."""
        self.start = max(self.start, offset)
        gone = self._position(self.start)
        self.size -= sum(len(batch.data) for batch in self._batches[:gone])
        del self._batches[:gone]
        self.aborted = [one for one in self.aborted if one.marker >= self.start]

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
        if keep_from > self.start:
            self.truncate(keep_from)

    def _position(self, offset: int) -> int:
        return bisect_left(self._batches, offset, key=lambda batch: batch.last)
