"""The feature log of a step: one message per source partition, split below the byte limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.claims import NO_CLAIM, Claim
from feature_store.log import LogMeta, encode_log, log_schema
from streams.kafka import words_of
from streams.policies.actions import APPROVE
from streams.scorer.deltas import NOTHING_KNOWN, OutcomePosition, deltas_of
from streams.scorer.evidence import action_names
from streams.scorer.records import LogMessage

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.evidence import Evidence
    from streams.scorer.intake import Sorted

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
        self._schema = log_schema(pipeline)
        self._hashes = {feature.name: feature.hash for feature in pipeline.feature_vector}
        self._fields = len(pipeline.event.fields)
        self._own_id = pipeline.event.id != "event_id"
        self._own_time = pipeline.event.time != "event_time"
        self._time_position = list(pipeline.event.fields).index(pipeline.event.time)

    def write(
        self,
        epoch: int,
        stretches: dict[int, Stretch],
        deltas: pa.RecordBatch,
        found: Sorted,
        seen: pa.RecordBatch,
        evidence: Evidence,
        first_seq: int,
    ) -> list[LogMessage]:
        """One or more messages for every partition in ``stretches``; the first event has ``first_seq``.

        ``seen`` has the fields and features of the accepted events (``seen_schema``).
        """
        rows = self._rows(found, seen, evidence, first_seq)
        partitions = found.accepted.partitions
        if len(stretches) > 1:  # one after the other, so that each is a slice
            order = np.argsort(partitions, kind="stable")
            rows, partitions = rows.take(order), partitions[order]
        messages, traces = [], _traces(found, evidence)
        for partition, stretch in stretches.items():
            meta = LogMeta(
                pipeline=self._pipeline.name,
                topic=self._pipeline.topics.events,
                partition=partition,
                first_offset=stretch.first,
                next_offset=stretch.end,
                release_epoch=epoch,
                policy_offset=evidence.policy_offset,
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

    def _rows(
        self,
        found: Sorted,
        seen: pa.RecordBatch,
        evidence: Evidence,
        first_seq: int,
    ) -> pa.RecordBatch:
        accepted, n = found.accepted, len(found.accepted.records)
        fields, features = seen.columns[: self._fields], seen.columns[self._fields :]
        columns: list[Any] = list(fields)
        if self._own_id:
            columns.append(accepted.ids)
        if self._own_time:
            columns.append(fields[self._time_position])
        columns += [
            np.zeros(n, np.int8),
            np.arange(first_seq, first_seq + n),
            accepted.partitions,
            [record.offset for record in accepted.records],
            [record.record_time_ms for record in accepted.records],
            [record.arrived_at for record in accepted.records],
            accepted.digests,
            accepted.late,
        ]
        columns += features
        columns += [
            pa.array(evidence.margins, mask=np.isnan(evidence.margins)),
            pa.array(evidence.scores, mask=np.isnan(evidence.scores)),
            evidence.engines,
            evidence.models,
            action_names(evidence.policy_actions),
            action_names(evidence.actions),
            evidence.propensities,
            evidence.rules,
            evidence.fallbacks,
            np.full(n, evidence.decided_at),
            np.full(n, first_seq + n - 1),
        ]
        arrays = [
            column if isinstance(column, pa.Array) else pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        return pa.record_batch(arrays, schema=self._schema)

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


def _traces(found: Sorted, evidence: Evidence) -> dict[int, dict[int, list[str]]]:
    """Partition -> offset -> trace context, of events that were stopped or late: more may be said of them."""
    accepted, traces = found.accepted, dict[int, dict[int, list[str]]]()
    if any(record.trace for record in accepted.records):
        told_of = accepted.late | (evidence.policy_actions != APPROVE)
        for at in np.flatnonzero(told_of).tolist():
            record = accepted.records[at]
            if record.trace:
                traces.setdefault(record.partition, {})[record.offset] = words_of(record.trace)
    return traces


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
