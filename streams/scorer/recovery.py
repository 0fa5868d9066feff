"""Take-over: the committed feature log, replayed to exactly the group's committed offsets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.columns import columns_from_log
from feature_store.errors import StateError
from feature_store.log import LogMeta, decode_log
from streams.kafka import Consumer, read_range
from streams.kafka.tail import watermarks

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.core import ScorerCore

_REPLAY_ROWS = 20_000


@dataclass
class _PartitionLog:
    """What the log of one partition holds up to its committed offset."""

    committed: int
    position: int | None = None
    batches: list[pa.RecordBatch] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch, meta: LogMeta) -> None:
        if meta.next_offset > self.committed:
            return
        if self.position is not None and meta.first_offset != self.position:
            raise StateError(
                f"{meta.topic}/{meta.partition}: the feature log jumps from offset {self.position} "
                f"to {meta.first_offset}; state cannot be rebuilt from it"
            )
        self.position = meta.next_offset
        self.batches.append(batch)


def restore(
    core: ScorerCore, pipeline: Pipeline, bootstrap: str, probe: Consumer, committed: dict[int, int]
) -> int:
    """Rebuild the state of partitions at their ``committed`` offsets; returns how many events were replayed.

    Raises StateError where the log does not reach exactly to a committed offset.
    """
    ranges = {p: watermarks(probe, pipeline.topics.features, p) for p in committed}
    logs = {p: _PartitionLog(offset) for p, offset in committed.items()}
    for message in read_range(bootstrap, pipeline.topics.features, ranges):
        value, partition = message.value(), message.partition()
        if partition is None or not isinstance(value, bytes):
            continue
        batch, meta = decode_log(value)
        logs[partition].add(batch, meta)
    for partition, log in logs.items():
        if log.position != log.committed:
            raise StateError(
                f"{pipeline.topics.events}/{partition}: the group has committed offset {log.committed}, but "
                f"the feature log ends at {log.position}. Were the group's offsets changed by hand, or is "
                f"{pipeline.topics.features!r} kept for too short a time?"
            )
    batches = [batch for log in logs.values() for batch in log.batches]
    replayed = _replay(core, pipeline, batches)
    for partition, offset in committed.items():
        core.restored(partition, offset)
    return replayed


def _replay(core: ScorerCore, pipeline: Pipeline, batches: list[pa.RecordBatch]) -> int:
    if not batches:
        return 0
    wanted = [*pipeline.event.fields, "event_id", "seq", "source_partition", "arrived_at", "body_digest"]
    names = list(dict.fromkeys(wanted))
    table = pa.Table.from_batches([batch.select(names).replace_schema_metadata(None) for batch in batches])
    order = np.argsort(table.column("seq").to_numpy(), kind="stable")
    table = table.take(order).combine_chunks()
    for start in range(0, table.num_rows, _REPLAY_ROWS):
        for batch in table.slice(start, _REPLAY_ROWS).combine_chunks().to_batches():
            _apply(core, pipeline, batch)
    return table.num_rows


def _apply(core: ScorerCore, pipeline: Pipeline, batch: pa.RecordBatch) -> None:
    partitions: list[Any] = batch.column("source_partition").to_pylist()
    arrivals: list[Any] = batch.column("arrived_at").cast(pa.int64()).to_pylist()
    digests: list[Any] = batch.column("body_digest").to_pylist()
    ids: list[Any] = batch.column("event_id").to_pylist()
    last_seq: Any = batch.column("seq")[-1].as_py()
    for partition, event_id, body, arrival in zip(partitions, ids, digests, arrivals, strict=True):
        core.intake.filter_of(partition).remember(event_id, body, arrival)
    core.restore(partitions, columns_from_log(pipeline.event, batch), last_seq)
