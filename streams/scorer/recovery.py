"""Take-over: the committed feature log, replayed to exactly the group's committed offsets."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from feature_store.errors import StateError
from feature_store.log import LogMeta, decode_whole_log
from streams.kafka import Consumer, read_range
from streams.kafka.tail import watermarks
from streams.scorer.deltas import NOTHING_KNOWN, OutcomePosition
from streams.scorer.replay import replay

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.core import ScorerCore
    from streams.scorer.records import Position

_LOG_PATIENCE_S = 30.0
_PAUSE_S = 0.05


class Restored(NamedTuple):
    """How many events were replayed, and the newest release epoch that any of the partitions was under."""

    events: int
    epoch: int


@dataclass
class _PartitionLog:
    """What the log of one partition holds up to its committed offset."""

    committed: Position | None
    position: int | None = None
    outcomes: OutcomePosition = NOTHING_KNOWN
    beyond: int | None = None
    epoch: int = 0
    batches: list[pa.RecordBatch] = field(default_factory=list)
    deltas: list[pa.RecordBatch] = field(default_factory=list)

    @property
    def ends_early(self) -> bool:
        """Whether more of it should still come."""
        if self.beyond is not None or self.committed is None:
            return False
        return (self.position or 0) < self.committed.events or self.outcomes.offset < self.committed.outcomes

    def add(self, batch: pa.RecordBatch, meta: LogMeta, deltas: pa.RecordBatch | None) -> None:
        if self.committed is None or meta.next_offset > self.committed.events:
            self.beyond = meta.next_offset
            return
        if self.position is not None and meta.first_offset != self.position:
            raise StateError(
                f"{meta.topic}/{meta.partition}: the feature log jumps from offset {self.position} "
                f"to {meta.first_offset}; state cannot be rebuilt from it"
            )
        self.position = meta.next_offset
        self.epoch = meta.release_epoch
        self.outcomes = OutcomePosition(meta.outcomes_offset, meta.route_seq)
        self.batches.append(batch)
        if deltas is not None:
            self.deltas.append(deltas)


def restore(
    core: ScorerCore,
    pipeline: Pipeline,
    bootstrap: str,
    probe: Consumer,
    committed: dict[int, Position | None],
) -> Restored:
    """Rebuild the state of partitions at their ``committed`` positions.

    None is a partition of which the group has committed nothing. Raises StateError where the log does not
    reach exactly to a committed offset, or holds events of a partition without one.
    """
    logs = _read_logs(pipeline, bootstrap, probe, committed)
    for partition, log in logs.items():
        if log.committed is None and log.beyond is not None:
            raise StateError(
                f"{pipeline.topics.events}/{partition}: the group has no committed offset, but the feature "
                f"log says that events up to offset {log.beyond} were decided. Did the offsets expire "
                f"or change their name? Set them to {log.beyond} to go on, or use other topics to start anew"
            )
        if log.committed is not None and (log.ends_early or log.position != log.committed.events):
            raise StateError(
                f"{pipeline.topics.events}/{partition}: the group has committed offset "
                f"{log.committed.events} (outcomes {log.committed.outcomes}), but the feature log ends at "
                f"{log.position} (outcomes {log.outcomes.offset}). Were the group's offsets changed by hand, "
                f"or is {pipeline.topics.features!r} kept for too short a time?"
            )
    batches = [batch for log in logs.values() for batch in log.batches]
    deltas = [batch for log in logs.values() for batch in log.deltas]
    replayed = replay(core, pipeline, batches, deltas)
    for partition, position in committed.items():
        if position is not None:
            core.restored(partition, position.events, logs[partition].outcomes)
    return Restored(replayed, max((log.epoch for log in logs.values()), default=0))


def _read_logs(
    pipeline: Pipeline, bootstrap: str, probe: Consumer, committed: dict[int, Position | None]
) -> dict[int, _PartitionLog]:
    """The log of every partition, up to its committed position.

    A transaction's end reaches the topics one after another: the group's offsets may be there before the log.
    """
    topic = pipeline.topics.features
    logs = {p: _PartitionLog(position) for p, position in committed.items()}
    read = {p: watermarks(probe, topic, p)[0] for p in committed}
    deadline = time.monotonic() + _LOG_PATIENCE_S
    while True:
        ends = {p: watermarks(probe, topic, p)[1] for p in committed}
        for message in read_range(bootstrap, topic, {p: (read[p], ends[p]) for p in committed}):
            value, partition = message.value(), message.partition()
            if partition is None or not isinstance(value, bytes):
                continue
            logs[partition].add(*decode_whole_log(value))
        read = ends
        if not any(log.ends_early for log in logs.values()) or time.monotonic() > deadline:
            return logs
        time.sleep(_PAUSE_S)
