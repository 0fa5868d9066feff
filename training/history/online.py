"""Features of past events by the engine that a scorer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from feature_store.expressions import Matrix
    from feature_store.store import FeatureStore
    from training.history.order import Order

BATCH = 8_192


def online_features(
    order: Order, store: FeatureStore, earlier: Sequence[FeatureStore] = ()
) -> Iterator[tuple[int, int, Matrix]]:
    """Apply ``order`` to ``store``; yields first row, end and features of one stretch after the other.

    ``store`` holds the partitions of ``order``, and in the end the state after the last event, committed. Of
    a staged pipeline it may be that of the last stage: then ``earlier`` are those of all stages before.
    """
    waiting: list[Matrix] = []
    began = 0
    for end, matrix in _steps(order, store, earlier):
        waiting.append(matrix)
        if end - began >= BATCH or end == order.past.rows:
            yield began, end, np.vstack(waiting)
            waiting, began = [], end


def _steps(
    order: Order, store: FeatureStore, earlier: Sequence[FeatureStore]
) -> Iterator[tuple[int, Matrix]]:
    """The end and the features of each step.

    A step ends where an outcome is applied, since a scorer applies outcomes before the events of a step.
    Expressions are of an event alone: they are worked out for many steps at a time.
    """
    events = order.past.events.combine_chunks()
    deltas = [order.deltas.combine_chunks()]
    deltas += [order.deltas_in(stage).combine_chunks() for stage in range(len(earlier))]
    partitions = order.partitions.astype(np.int64)
    before = [(each, on.astype(np.int64)) for each, on in zip(earlier, order.earlier, strict=False)]
    learnt = 0
    for began in range(0, order.past.rows, BATCH):
        (block,) = events.slice(began, BATCH).to_batches()
        rows, conditions = store.vector.expressions(block)
        for first, end in _cuts(order, began, began + block.num_rows):
            due = int(np.searchsorted(order.before, first, side="right"))
            for each, known in zip((store, *earlier), deltas, strict=True):
                for batch in known.slice(learnt, due - learnt).to_batches():
                    each.learn(batch)
            learnt = due
            part = slice(first - began, end - began)
            step, carried = block.slice(part.start, end - first), None
            for each, on in before:
                carried = each.found(step, on[first:end], carried)
                each.commit()
            matrix = store.observe_windows(
                step,
                partitions[first:end],
                rows[part],
                {name: flags[part] for name, flags in conditions.items()},
                known_at_once=True,
                carried=carried,
            )
            store.commit()
            yield end, matrix


def _cuts(order: Order, first: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretches from ``first`` to ``end`` in which no outcome is applied but before their first event."""
    low, high = np.searchsorted(order.before, [first, end], side="right")
    starts = np.unique([first, *order.before[low:high]])
    starts = starts[starts < end]
    return zip(starts.tolist(), [*starts[1:].tolist(), end], strict=True)
