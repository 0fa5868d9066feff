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


def online_matrices(order: Order, store: FeatureStore) -> Iterator[tuple[int, int, Matrix]]:
    """Apply ``order`` to ``store``, step by step; yields first row, end and features of each stretch.

    A step ends where an outcome is applied, since a scorer applies outcomes before the events of a step.
    ``store`` then holds the state after the last event, committed.
    """
    events = order.past.events.combine_chunks()
    (whole,) = events.to_batches() or [pa.RecordBatch.from_pylist([], events.schema)]
    deltas = order.deltas.combine_chunks()
    cuts = np.unique(np.concatenate([order.before, np.arange(0, order.past.rows, BATCH)]))
    ends = np.append(cuts, order.past.rows)[1:]
    learnt = 0
    for first, end in zip(cuts.tolist(), ends.tolist(), strict=True):
        due = int(np.searchsorted(order.before, first, side="right"))
        if due > learnt:
            for batch in deltas.slice(learnt, due - learnt).to_batches():
                store.learn(batch)
            learnt = due
        matrix = store.observe(whole.slice(first, end - first), order.partitions[first:end].tolist())
        store.decided(np.ones(end - first, np.bool_))
        store.commit()
        yield first, end, matrix
