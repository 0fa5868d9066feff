"""Features of past events by the offline twin: the same declarations as SQL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from feature_store import duck
from feature_store.offline import offline_features

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from feature_store.declaration.pipeline import Pipeline
    from training.history.order import Order

EVENTS, DELTAS = "events", "deltas"


@contextmanager
def as_relations(order: Order) -> Iterator[duck.Connection]:
    """A database in memory with the relations ``events`` and ``deltas``, as the twin wants them."""
    seqs = pa.array(order.seqs)
    events = order.past.events
    for name, column in (
        ("source_partition", pa.array(order.partitions)),
        ("seq", seqs),
        ("decided_seq", seqs),
        ("let_through", pa.array(np.ones(order.past.rows, np.bool_))),
    ):
        events = events.append_column(name, column)
    connection = duck.memory()
    try:
        connection.register(EVENTS, events)
        connection.register(DELTAS, order.deltas)
        yield connection
    finally:
        connection.close()


def offline_table(pipeline: Pipeline, order: Order, only: Collection[str] | None = None) -> pa.Table:
    """The event id and the features of every event, in applied order; ``only`` some of the features."""
    with as_relations(order) as connection:
        found = offline_features(connection, pipeline, events=EVENTS, deltas=DELTAS, only=only)
    return found.sort_by("seq").drop_columns(["source_partition", "seq"])
