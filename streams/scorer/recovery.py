"""Take-over: the committed feature log, replayed to exactly the group's committed offsets."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from feature_store.errors import StateError
from feature_store.log import LogMeta, decode_log, log_schema
from streams.kafka import Consumer, read_range
from streams.kafka.tail import watermarks

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.core import ScorerCore

_REPLAY_ROWS = 20_000
_LOG_PATIENCE_S = 30.0
_PAUSE_S = 0.05


class Restored(NamedTuple):
    """How many events were replayed, and the newest release epoch that any of the partitions was under."""

    events: int
    epoch: int


@dataclass
class _PartitionLog:
    """What the log of one partition holds up to its committed offset."""

    committed: int | None
    position: int | None = None
    beyond: int | None = None
    epoch: int = 0
    batches: list[pa.RecordBatch] = field(default_factory=list)

    @property
    def ends_early(self) -> bool:
        """Whether more of it should still come."""
        return self.beyond is None and self.committed is not None and (self.position or 0) < self.committed

    def add(self, batch: pa.RecordBatch, meta: LogMeta) -> None:
        if self.committed is None or meta.next_offset > self.committed:
            self.beyond = meta.next_offset
            return
        if self.position is not None and meta.first_offset != self.position:
            raise StateError(
                f"{meta.topic}/{meta.partition}: the feature log jumps from offset {self.position} "
                f"to {meta.first_offset}; state cannot be rebuilt from it"
            )
        self.position = meta.next_offset
        self.epoch = meta.release_epoch
        self.batches.append(batch)


def restore(
    core: ScorerCore, pipeline: Pipeline, bootstrap: str, probe: Consumer, committed: dict[int, int | None]
) -> Restored:
    """Rebuild the state of partitions at their ``committed`` offsets.

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
        if log.position != log.committed:
            raise StateError(
                f"{pipeline.topics.events}/{partition}: the group has committed offset {log.committed}, but "
                f"the feature log ends at {log.position}. Were the group's offsets changed by hand, or is "
                f"{pipeline.topics.features!r} kept for too short a time?"
            )
    batches = [batch for log in logs.values() for batch in log.batches]
    replayed = _replay(core, pipeline, batches)
    for partition, offset in committed.items():
        if offset is not None:
            core.restored(partition, offset)
    return Restored(replayed, max((log.epoch for log in logs.values()), default=0))


def _read_logs(
    pipeline: Pipeline, bootstrap: str, probe: Consumer, committed: dict[int, int | None]
) -> dict[int, _PartitionLog]:
    """The log of every partition, up to its committed offset.

    A transaction's end reaches the topics one after another: the group's offsets may be there before the log.
    """
    topic = pipeline.topics.features
    logs = {p: _PartitionLog(offset) for p, offset in committed.items()}
    read = {p: watermarks(probe, topic, p)[0] for p in committed}
    deadline = time.monotonic() + _LOG_PATIENCE_S
    while True:
        ends = {p: watermarks(probe, topic, p)[1] for p in committed}
        for message in read_range(bootstrap, topic, {p: (read[p], ends[p]) for p in committed}):
            value, partition = message.value(), message.partition()
            if partition is None or not isinstance(value, bytes):
                continue
            batch, meta = decode_log(value)
            logs[partition].add(batch, meta)
        read = ends
        if not any(log.ends_early for log in logs.values()) or time.monotonic() > deadline:
            return logs
        time.sleep(_PAUSE_S)


def _replay(core: ScorerCore, pipeline: Pipeline, batches: list[pa.RecordBatch]) -> int:
    if not batches:
        return 0
    schema = _replayed_schema(pipeline)
    table = pa.concat_tables([_replayed(pipeline, batch, schema) for batch in batches])
    order = np.argsort(table.column("seq").to_numpy(), kind="stable")
    table = table.take(order).combine_chunks()
    for start in range(0, table.num_rows, _REPLAY_ROWS):
        for batch in table.slice(start, _REPLAY_ROWS).combine_chunks().to_batches():
            _apply(core, pipeline, batch)
    return table.num_rows


def _replayed_schema(pipeline: Pipeline) -> pa.Schema:
    full = log_schema(pipeline)
    wanted = [*pipeline.event.fields, "event_id", "seq", "source_partition", "arrived_at", "body_digest"]
    return pa.schema([full.field(name) for name in dict.fromkeys(wanted)])


def _replayed(pipeline: Pipeline, batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """What recovery needs of a batch; a field that was declared later is null in it.

    Raises StateError where such a field is required, or has another type now: state would be another one.
    """
    columns: list[Any] = []
    for wanted in schema:
        if wanted.name not in batch.schema.names:
            spec = pipeline.event.fields.get(wanted.name)
            if spec is None or spec.required:
                raise StateError(
                    f"event.fields: {wanted.name!r} is required, but events that were decided before do not "
                    "have it; declare it with required: false, or use other topics to start anew"
                )
            columns.append(pa.nulls(batch.num_rows, wanted.type))
            continue
        column = batch.column(wanted.name)
        if column.type != wanted.type:
            raise StateError(
                f"event.fields: {wanted.name!r} was {column.type} in events that were decided before and is "
                f"{wanted.type} now; give the field another name, or use other topics to start anew"
            )
        columns.append(column)
    return pa.table(columns, schema=schema)


def _apply(core: ScorerCore, pipeline: Pipeline, batch: pa.RecordBatch) -> None:
    partitions: list[Any] = batch.column("source_partition").to_pylist()
    arrivals: list[Any] = batch.column("arrived_at").cast(pa.int64()).to_pylist()
    digests: list[Any] = batch.column("body_digest").to_pylist()
    ids = [str(value) for value in batch.column("event_id").to_pylist()]
    last_seq: Any = batch.column("seq")[-1].as_py()
    for partition, event_id, body, arrival in zip(partitions, ids, digests, arrivals, strict=True):
        core.intake.filter_of(partition).remember(event_id, body, arrival)
    core.restore(partitions, batch.select(list(pipeline.event.fields)), last_seq)
