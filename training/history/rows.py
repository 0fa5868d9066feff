"""Past events as rows of the feature log, so that everything which reads the log reads them, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.columns import number_arrays
from feature_store.declaration.decision import Action
from feature_store.duplicates import ANY_BODY
from feature_store.log import known_columns, log_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from training.history.order import Order

FALLBACK = "history"
"""Why no model decided: nobody here did."""


class LogRows:
    """Makes rows of the feature log of past events.

    Each was let through when it happened, whatever the policy is now. Offsets run below 0 on every
    partition, so that they are before those of any live event.
    """

    def __init__(self, pipeline: Pipeline, order: Order) -> None:
        self._event = pipeline.event
        self._order = order
        self._ids = order.past.ids
        self._times = pa.array(order.past.times).cast(pa.timestamp("us"))
        self._offsets = _offsets(order.partitions)
        self._stage = len(order.earlier)
        self._origins = order.origins, _offsets(order.origins)
        self._known = known_columns(pipeline)
        self._features = [feature.name for feature in pipeline.feature_vector]
        self.schema = log_schema(pipeline)
        """The columns of the rows."""

    def batch(self, first: int, end: int, matrix: Matrix) -> pa.RecordBatch:
        """The rows of the events ``first`` to ``end``, which have these features."""
        count = end - first
        times = self._times.slice(first, count)
        seqs = pa.array(self._order.seqs[first:end])
        events = self._order.past.events.slice(first, count)
        columns: dict[str, Any] = {
            "event_id": self._ids.slice(first, count),
            "event_time": times,
            "stage": pa.repeat(pa.scalar(self._stage, pa.int8()), count),
            "seq": seqs,
            "source_partition": pa.array(self._order.partitions[first:end]),
            "source_offset": pa.array(self._offsets[first:end]),
            "record_time": times.cast(pa.timestamp("ms"), safe=False),
            "arrived_at": times,
            "body_digest": pa.array([ANY_BODY] * count, pa.binary(16)),
            "late": pa.repeat(pa.scalar(value=False), count),
            "policy_action": pa.repeat(Action.APPROVE.value, count),
            "action": pa.repeat(Action.APPROVE.value, count),
            "propensity": pa.array(np.ones(count)),
            "rules": pa.array([[]] * count, pa.list_(pa.string())),
            "fallback": pa.repeat(FALLBACK, count),
            "decided_at": times,
            "decided_seq": seqs,
        }
        origins, offsets = self._origins
        columns["origin_partition"] = pa.array(origins[first:end])
        columns["origin_offset"] = pa.array(offsets[first:end])
        columns |= {f"seq_{number}": seqs for number in range(self._stage)}
        if self._known:
            known = pa.array(np.searchsorted(self._order.before, np.arange(first, end), side="right"))
            columns |= dict.fromkeys(self._known, known)
        columns |= {name: events[name].combine_chunks() for name in self._event.fields}
        columns |= dict(zip(self._features, number_arrays(matrix), strict=True))
        return pa.RecordBatch.from_arrays(
            [
                columns[field.name] if field.name in columns else pa.nulls(count, field.type)
                for field in self.schema
            ],
            schema=self.schema,
        )


def _offsets(partitions: NDArray[np.int32]) -> NDArray[np.int64]:
    """For each event its place on its partition, counted back from -1 for the last."""
    offsets = np.empty(len(partitions), np.int64)
    for partition in np.unique(partitions):
        places = np.flatnonzero(partitions == partition)
        offsets[places] = np.arange(-len(places), 0)
    return offsets
