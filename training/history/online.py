"""Features of past events by the engine that a scorer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.expressions import Matrix
    from feature_store.store import FeatureStore
    from training.history.order import Order

BATCH = 8_192


def online_features(order: Order, store: FeatureStore) -> Iterator[tuple[int, int, Matrix]]:
    """Apply ``order`` to ``store``; yields first row, end and features of one stretch after the other.

    ``store`` holds the partitions of ``order``, and in the end the state after the last event, committed.
    """
    waiting: list[Matrix] = []
    began = 0
    for end, matrix in _steps(order, store):
        waiting.append(matrix)
        if end - began >= BATCH or end == order.past.rows:
            yield began, end, np.vstack(waiting)
            waiting, began = [], end


def _steps(order: Order, store: FeatureStore) -> Iterator[tuple[int, Matrix]]:
    """The end and the features of each step.

    A step ends where an outcome is applied, since a scorer applies outcomes before the events of a step.
    """
    events = order.past.events.combine_chunks()
    (whole,) = events.to_batches() or [pa.RecordBatch.from_pylist([], events.schema)]
    deltas = order.deltas.combine_chunks()
    partitions = order.partitions.astype(np.int64)
    cuts = np.unique(np.concatenate([order.before, np.arange(0, order.past.rows, BATCH)]))
    ends = np.append(cuts, order.past.rows)[1:]
    learnt = 0
    for first, end in zip(cuts.tolist(), ends.tolist(), strict=True):
        due = int(np.searchsorted(order.before, first, side="right"))
        if due > learnt:
            for batch in deltas.slice(learnt, due - learnt).to_batches():
                store.learn(batch)
            learnt = due
        matrix = store.observe_past(whole.slice(first, end - first), partitions[first:end])
        store.commit()
        yield end, matrix
