"""The applied order of past events and their outcomes: what one scorer would have done that saw them all.

Events come by event time, ties in file order. The outcome of a fraud becomes known the declared delay after
its event, and is applied before an event at exactly that time. Both share one counter, from 1. All events
were let through, and their actions are known at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.log import delta_schema
from streams.sources.partitions import partitions_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from streams.sources.past_events import PastEvents


@dataclass(frozen=True)
class Order:
    """Past events with the applied order, and what became known about them.

    ``partitions`` and ``seqs`` are of the events; ``earlier`` are their partitions in each stage before the
    last, which all apply them in this order. ``deltas`` has the columns of ``delta_schema``: outcomes
    that were known by the time of the last event. The event before which a delta is applied stands at its
    place in ``before``, the event that it is about in ``frauds``.
    """

    past: PastEvents
    partitions: NDArray[np.int32]
    seqs: NDArray[np.int64]
    deltas: pa.Table
    before: NDArray[np.int64]
    frauds: NDArray[np.int64]
    earlier: tuple[NDArray[np.int32], ...] = ()

    @property
    def origins(self) -> NDArray[np.int32]:
        """The partitions of the events on the events topic."""
        return self.earlier[0] if self.earlier else self.partitions

    def deltas_in(self, stage: int) -> pa.Table:
        """The deltas as a stage before the last applies them: on the partition that its event has there."""
        at = self.deltas.schema.get_field_index("source_partition")
        on = pa.array(self.earlier[stage][self.frauds])
        return self.deltas.set_column(at, self.deltas.schema.field(at), on)


def in_order(pipeline: Pipeline, past: PastEvents, partitions: int = 1) -> Order:
    """Put ``past`` in applied order, its events on the partitions that Kafka's clients would choose.

    Without features that count outcomes there are no deltas.
    """
    label = pipeline.event.file.label
    counted = label is not None and bool(pipeline.outcome_fields)
    frauds: NDArray[np.int64] = np.flatnonzero(past.fraud) if counted else np.empty(0, np.int64)
    times = past.times
    known = times[frauds] + (label.delay if label else 0)
    due = known <= (times[-1] if len(times) else 0)
    frauds, known = frauds[due], known[due]
    before = np.searchsorted(times, known, side="left")
    *earlier, on = _places(pipeline, past, partitions)
    deltas = _deltas(pipeline, past, frauds, on[frauds], before)
    seqs = np.arange(1, past.rows + 1) + np.searchsorted(known, times, side="right")
    return Order(past, on, seqs, deltas, before, frauds, tuple(earlier))


def _places(pipeline: Pipeline, past: PastEvents, partitions: int) -> list[NDArray[np.int32]]:
    """The partition of every event in each stage.

    Kafka draws lots for an event without the key of a stage. Nothing is counted for it there: it stays on the
    partition of the stage before.
    """
    places = [partitions_of(past.keys, partitions)]
    for stage in pipeline.stages[1:]:
        keys = past.events[stage.key].combine_chunks().cast(pa.string())
        on = places[-1].copy()
        on[keys.is_valid().to_numpy(zero_copy_only=False)] = partitions_of(keys.drop_null(), partitions)
        places.append(on)
    return places


def _deltas(
    pipeline: Pipeline,
    past: PastEvents,
    frauds: NDArray[np.int64],
    partitions: NDArray[np.int32],
    before: NDArray[np.int64],
) -> pa.Table:
    events, ids = past.events.take(frauds), past.ids.take(frauds)
    count = len(frauds)
    route_seqs = np.arange(1, count + 1)
    columns: list[Any] = [
        pa.array(before + route_seqs),
        pa.array(route_seqs),
        pa.array(partitions),
        ids,
        events[pipeline.event.time],
        pa.array(np.ones(count, np.int8)),
        pa.array(np.ones(count, np.bool_)),
        *(events[name] for name in pipeline.outcome_fields),
    ]
    return pa.Table.from_arrays(columns, schema=delta_schema(pipeline))
