"""The feature log of a step: one message per source partition, split below the byte limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from feature_store.claims import NO_CLAIM, Claim
from feature_store.log import LogMeta, encode_log
from streams.scorer.deltas import NOTHING_KNOWN, OutcomePosition, deltas_of
from streams.scorer.records import LogMessage

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.intake import Sorted
    from streams.scorer.log_rows import Traces
    from streams.scorer.records import Under

MAX_MESSAGE_BYTES = 4_000_000


class Stretch(NamedTuple):
    """What a step covers of one partition: offsets of events, and where its outcomes stand after it and stood
    before.
    """

    first: int
    end: int
    outcomes: OutcomePosition
    history: int
    before: OutcomePosition = NOTHING_KNOWN
    claim: Claim = NO_CLAIM


class LogWriter:
    """Writes down a step so that state and history can be rebuilt from it alone."""

    def __init__(self, pipeline: Pipeline, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._pipeline = pipeline
        self._max_bytes = max_bytes
        self._hashes = {feature.name: feature.hash for feature in pipeline.feature_vector}

    def write(
        self,
        under: Under,
        stretches: dict[int, Stretch],
        deltas: pa.RecordBatch,
        found: Sorted,
        rows: pa.RecordBatch,
        traces: Traces,
    ) -> list[LogMessage]:
        """One or more messages for every partition in ``stretches``; ``rows`` are of the accepted events."""
        partitions = found.accepted.partitions
        if len(stretches) > 1:  # one after the other, so that each is a slice
            order = np.argsort(partitions, kind="stable")
            rows, partitions = rows.take(order), partitions[order]
        messages = []
        for partition, stretch in stretches.items():
            meta = LogMeta(
                pipeline=self._pipeline.name,
                topic=self._pipeline.topics.events,
                partition=partition,
                first_offset=stretch.first,
                next_offset=stretch.end,
                release_epoch=under.epoch,
                policy_offset=under.policy,
                duplicates=[r.offset for r in found.duplicates if r.partition == partition],
                dead_letters=[r.record.offset for r in found.refused if r.record.partition == partition],
                hashes=self._hashes,
                outcomes_offset=stretch.outcomes.offset,
                route_seq=stretch.outcomes.route_seq,
                history=stretch.history,
                claim=stretch.claim.number,
                claimed_at=stretch.claim.at,
                traces=traces.get(partition, {}),
            )
            first, end = np.searchsorted(partitions, [partition, partition + 1]).tolist()
            mine, learned = rows.slice(first, end - first), deltas_of(partition, deltas)
            split = self._split(mine, meta, learned, stretch.before)
            messages += [LogMessage(partition, message) for message in split]
        return messages

    def _split(
        self, rows: pa.RecordBatch, meta: LogMeta, deltas: pa.RecordBatch, before: OutcomePosition
    ) -> list[bytes]:
        """The stretch as messages, each true by itself: the writer may die between two of them."""
        message = encode_log(rows, meta, deltas)
        if len(message) <= self._max_bytes or rows.num_rows + deltas.num_rows <= 1:
            return [message]
        if rows.num_rows and deltas.num_rows:  # deltas were applied first
            left, right = _cut(meta, meta.first_offset)
            return self._split(rows.slice(0, 0), left, deltas, before) + self._split(
                rows, right, deltas.slice(0, 0), before
            )
        if deltas.num_rows:
            half = deltas.num_rows // 2
            left, right = _cut(meta, meta.first_offset)
            known = before._replace(route_seq=deltas.column("route_seq")[half - 1].as_py())
            left = msgspec.structs.replace(left, outcomes_offset=known.offset, route_seq=known.route_seq)
            return self._split(rows, left, deltas.slice(0, half), before) + self._split(
                rows, right, deltas.slice(half), known
            )
        half = rows.num_rows // 2
        left, right = _cut(meta, rows.column("source_offset")[half].as_py())
        return self._split(rows.slice(0, half), left, deltas, before) + self._split(
            rows.slice(half), right, deltas, before
        )


def _cut(meta: LogMeta, border: int) -> tuple[LogMeta, LogMeta]:
    """The same stretch as two: below ``border``, and from it on."""

    def part(first: int, end: int) -> LogMeta:
        inside = range(first, end)
        return msgspec.structs.replace(
            meta,
            first_offset=first,
            next_offset=end,
            duplicates=[offset for offset in meta.duplicates if offset in inside],
            dead_letters=[offset for offset in meta.dead_letters if offset in inside],
            traces={offset: trace for offset, trace in meta.traces.items() if offset in inside},
        )

    return part(meta.first_offset, border), part(border, meta.next_offset)
