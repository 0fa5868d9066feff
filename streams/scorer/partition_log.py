"""The feature log of the partitions that are being taken over, read up to what the group has committed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from feature_store.claims import NO_CLAIM, Claim, Claims
from feature_store.duplicates import digest
from feature_store.errors import StateError
from feature_store.log import LogMeta, decode_whole_log
from streams.kafka import Consumer, read_range, reader
from streams.kafka.tail import watermarks
from streams.scorer.deltas import NOTHING_KNOWN, OutcomePosition
from streams.scorer.records import NOTHING_DECIDED, Position, Under

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.snapshots import PartitionPosition

LOG_PATIENCE_S = 30.0
_PAUSE_S = 0.05


class LogBounds(NamedTuple):
    """The first offset of a partition's feature log that is kept, and its end."""

    low: int
    high: int


class LogEnd(NamedTuple):
    """The last message of a partition's log that is in its state: its offset, -1 where there was none, under
    what it was decided, and what stands for its bytes.
    """

    offset: int
    under: Under
    digest: str


@dataclass
class Entries:
    """Rows, and outcome deltas, in the order in which the log holds them."""

    rows: list[pa.RecordBatch] = field(default_factory=list)
    deltas: list[pa.RecordBatch] = field(default_factory=list)

    def add(self, rows: pa.RecordBatch, deltas: pa.RecordBatch | None) -> None:
        """One more message."""
        self.rows.append(rows)
        if deltas is not None:
            self.deltas.append(deltas)


@dataclass
class PartitionLog:
    """What the log of one partition holds, from the first offset asked for to the committed position.

    ``before`` is in the snapshot that ``base`` describes, ``after`` is not; without one all is ``after``.
    Where the partition was claimed, ``claim`` says so: then the log is read to the message that made the
    claim, and what it has there was decided, wherever the group's offset stands.
    """

    partition: int
    committed: Position | None
    base: PartitionPosition | None
    first: int
    claim: Claim | None = None
    position: int | None = None
    outcomes: OutcomePosition = NOTHING_KNOWN
    beyond: int | None = None
    under: Under = NOTHING_DECIDED
    history: int = 0
    before: Entries = field(default_factory=Entries)
    after: Entries = field(default_factory=Entries)
    claims: Claims = field(default_factory=Claims)
    _reached: int = -1
    _last: tuple[int, bytes] | None = None

    def __post_init__(self) -> None:
        if self.base is None:
            return
        if self.first > self.base.log_offset:
            self.claims = Claims({self.partition: Claim(self.base.claim, self.base.claimed_at)})
        self.outcomes, self.history = (
            OutcomePosition(self.base.outcomes, self.base.route_seq),
            self.base.history,
        )
        if self.base.log_offset >= 0:
            self.position = self.base.events
            self.under = Under(self.base.release_epoch, self.base.policy_offset)

    @property
    def ends_early(self) -> bool:
        """Whether more of it should still come."""
        if self.claim is not None:
            return self._reached < self.claim.at
        if self.beyond is not None or self.committed is None:
            return False
        return (self.position or 0) < self.committed.events or self.outcomes.offset < self.committed.outcomes

    @property
    def next(self) -> int:
        """The first offset that was not read."""
        return max(self.first, self._reached + 1)

    def until(self, end: int) -> int:
        """How far it is to be read, where the topic ends at ``end``."""
        return end if self.claim is None else min(end, self.claim.at + 1)

    @property
    def lost_to(self) -> int | None:
        """The number of the claim in force that is not this scorer's own; None where its own is, where it
        needs none, or where the log was not read so far.
        """
        held = self.claims.of(self.partition)
        own = self.claim or NO_CLAIM
        return None if self.ends_early or self.beyond is not None or held == own else held.number

    @property
    def end(self) -> LogEnd:
        """The last message that is in the state once all of this is applied."""
        if self._last is not None:
            return LogEnd(self._last[0], self.under, digest(self._last[1]).hex())
        if self.base is not None:
            return LogEnd(self.base.log_offset, self.under, self.base.log_digest)
        return LogEnd(-1, self.under, "")

    def add(self, offset: int, message: bytes) -> None:
        """One message. Raises StateError where it does not follow the one before."""
        rows, meta, deltas = decode_whole_log(message)
        self._reached = offset
        if self.claims.superseded(self.partition, offset, meta) or meta.makes_claim:
            return
        if self.base is not None and offset <= self.base.log_offset:
            self.before.add(rows, deltas)
            return
        if self.claim is None and (self.committed is None or meta.next_offset > self.committed.events):
            self.beyond = meta.next_offset
            return
        self._continue(meta)
        self._last = (offset, message)
        self.after.add(rows, deltas)

    def check(self, events: str, features: str) -> None:
        """Raise StateError unless it ends exactly at the committed position; the names are the topics'."""
        committed, topic = self.committed, f"{events}/{self.partition}"
        if self.claim is not None:
            self._check_claimed(topic)
            return
        if committed is None and self.beyond is not None:
            raise StateError(
                f"{topic}: the group has no committed offset, but the feature log says that events up to "
                f"offset {self.beyond} were decided. Did the offsets expire or change their name? Set them "
                f"to {self.beyond} to go on, or use other topics to start anew"
            )
        if self.beyond is not None and self.claims.of(self.partition) != NO_CLAIM:
            raise StateError(
                f"{topic}: the group has committed offset {self.position or 0}, but the feature log goes on "
                f"to {self.beyond}, decided without transactions. Set the group's offset to {self.beyond}"
            )
        if committed is not None and (self.ends_early or self.position != committed.events):
            raise StateError(
                f"{topic}: the group has committed offset {committed.events} (outcomes "
                f"{committed.outcomes}), but the feature log ends at {self.position} (outcomes "
                f"{self.outcomes.offset}). Were the group's offsets changed by hand, or is "
                f"{features!r} kept for too short a time?"
            )

    def _check_claimed(self, topic: str) -> None:
        if self.ends_early:
            raise StateError(
                f"{topic}: the feature log was read to {self._reached}, but not to the claim of this scorer, "
                f"{self.claim}; a fresh one tries again"
            )

    def _continue(self, meta: LogMeta) -> None:
        if self.position is not None and meta.first_offset != self.position:
            raise StateError(
                f"{meta.topic}/{meta.partition}: the feature log jumps from offset {self.position} "
                f"to {meta.first_offset}; state cannot be rebuilt from it"
            )
        self.position, self.history = meta.next_offset, meta.history
        self.under = Under(meta.release_epoch, meta.policy_offset)
        self.outcomes = OutcomePosition(meta.outcomes_offset, meta.route_seq)


def log_bounds(probe: Consumer, topic: str, partitions: list[int]) -> dict[int, LogBounds]:
    """What the feature log holds of each partition."""
    return {p: LogBounds(*watermarks(probe, topic, p)) for p in partitions}


def bounds_beyond(
    bootstrap: str, probe: Consumer, topic: str, partition: int, offset: int, deadline: float
) -> LogBounds:
    """What the log of ``partition`` holds when the message at ``offset`` can be read, if it has one.

    A transaction that was left open, such as by a scorer that was killed, hides all that others committed
    behind it until Kafka ends it. Waited is until ``deadline`` (monotonic) at most.
    """
    asking = reader(bootstrap, uncommitted=True)
    try:
        end = watermarks(asking, topic, partition)[1]
    finally:
        asking.close()
    while True:
        bounds = LogBounds(*watermarks(probe, topic, partition))
        if not bounds.high <= offset < end or time.monotonic() > deadline:
            return bounds
        time.sleep(_PAUSE_S)


def read_logs(bootstrap: str, probe: Consumer, topic: str, logs: list[PartitionLog]) -> None:
    """Fill every log, from where it was read to or from its first offset on.

    A transaction's end reaches the topics one after another: the group's offsets may be there before the log.
    """
    mine = {log.partition: log for log in logs}
    read = {log.partition: log.next for log in logs}
    deadline = time.monotonic() + LOG_PATIENCE_S
    while True:
        ends = {p: mine[p].until(each.high) for p, each in log_bounds(probe, topic, list(mine)).items()}
        for message in read_range(bootstrap, topic, {p: (read[p], ends[p]) for p in mine}):
            value, partition, offset = message.value(), message.partition(), message.offset()
            if partition is None or offset is None or not isinstance(value, bytes):
                continue
            mine[partition].add(offset, value)
        read = {p: max(read[p], ends[p]) for p in mine}
        if not any(log.ends_early for log in logs) or time.monotonic() > deadline:
            return
        time.sleep(_PAUSE_S)
