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

    ``partitions`` and ``seqs`` are of the events. ``deltas`` has the columns of ``delta_schema``: outcomes
    that were known by the time of the last event. The event before which a delta is applied stands at its
    place in ``before``.
    """

    past: PastEvents
    partitions: NDArray[np.int32]
    seqs: NDArray[np.int64]
    deltas: pa.Table
    before: NDArray[np.int64]


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
    on = partitions_of(past.keys, partitions)
    deltas = _deltas(pipeline, past, frauds, on[frauds], before)
    seqs = np.arange(1, past.rows + 1) + np.searchsorted(known, times, side="right")
    return Order(past, on, seqs, deltas, before)


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
