"""The rows of a log, one per accepted event: what it was, where it stood, what was found and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.log import log_schema
from streams.kafka import words_of
from streams.policies.actions import APPROVE
from streams.scorer.evidence import action_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.evidence import Evidence
    from streams.scorer.intake import Accepted

Traces = dict[int, dict[int, list[str]]]
"""Partition -> offset -> trace context."""


class LogRows:
    """Puts rows together in the columns of ``log_schema``."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._schema = log_schema(pipeline)
        self._stage = pipeline.stage.number if pipeline.stage else 0
        self._fields = len(pipeline.event.fields)
        self._own_id = pipeline.event.id != "event_id"
        self._own_time = pipeline.event.time != "event_time"
        self._time_position = list(pipeline.event.fields).index(pipeline.event.time)

    def decided(
        self, accepted: Accepted, seen: pa.RecordBatch, evidence: Evidence, first_seq: int
    ) -> pa.RecordBatch:
        """``seen`` has the fields and features of the accepted events (``seen_schema``)."""
        n = len(accepted.records)
        return self._batch([
            *self._places(accepted, seen.columns[: self._fields], first_seq),
            *seen.columns[self._fields :],
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
        ])  # fmt: skip

    def forwarded(self, accepted: Accepted, first_seq: int) -> pa.RecordBatch:
        """Of a stage that does not decide."""
        return self._batch(self._places(accepted, accepted.events.columns, first_seq))

    def _places(self, accepted: Accepted, fields: Sequence[pa.Array[Any]], first_seq: int) -> list[Any]:
        n = len(accepted.records)
        columns: list[Any] = list(fields)
        if self._own_id:
            columns.append(accepted.ids)
        if self._own_time:
            columns.append(fields[self._time_position])
        columns += [
            np.full(n, self._stage, np.int8),
            np.arange(first_seq, first_seq + n),
            accepted.partitions,
            [record.offset for record in accepted.records],
            [record.record_time_ms for record in accepted.records],
            [record.arrived_at for record in accepted.records],
            accepted.digests,
            accepted.late,
        ]
        if accepted.carried is not None:
            carried = accepted.carried
            columns += [carried.partitions, carried.offsets, *carried.orders.T, *carried.known.T]
        return columns

    def _batch(self, columns: list[Any]) -> pa.RecordBatch:
        arrays = [
            column if isinstance(column, pa.Array) else pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        return pa.record_batch(arrays, schema=self._schema)


def traces_of(accepted: Accepted, evidence: Evidence) -> Traces:
    """The trace context of events that were stopped or late: more may be said of them."""
    traces: Traces = {}
    if any(record.trace for record in accepted.records):
        told_of = accepted.late | (evidence.policy_actions != APPROVE)
        for at in np.flatnonzero(told_of).tolist():
            record = accepted.records[at]
            if record.trace:
                traces.setdefault(record.partition, {})[record.offset] = words_of(record.trace)
    return traces
