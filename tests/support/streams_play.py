"""The same stream through each way of computing its features: one matrix per step, None where not asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.duck import memory
from feature_store.offline import offline_features
from feature_store.store import FeatureStore
from tests.support.streams import PARTITIONS
from tests.support.streams_store import deltas_of, events_of, load, new_store, replay, run, save

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from tests.support.streams import Step
    from tests.support.streams_store import State

    Play = Callable[[Pipeline, Sequence[Step]], list[Matrix | None]]


def online(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """One store that lives through all of it."""
    store = new_store(pipeline)
    return [run(pipeline, store, step) for step in steps]


def replayed(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """A new store after every hand-over, filled from what was applied."""

    def fill(store: FeatureStore, past: Sequence[Step]) -> None:
        for step in past:
            replay(pipeline, store, step.deltas, step.events)

    return _filled_anew(pipeline, steps, fill)


def replayed_at_once(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """A new store after every hand-over, filled with all events and then all deltas in one go."""

    def fill(store: FeatureStore, past: Sequence[Step]) -> None:
        deltas = [delta for step in past for delta in step.deltas]
        replay(pipeline, store, deltas, [event for step in past for event in step.events])

    return _filled_anew(pipeline, steps, fill)


def _filled_anew(
    pipeline: Pipeline, steps: Sequence[Step], fill: Callable[[FeatureStore, Sequence[Step]], None]
) -> list[Matrix | None]:
    store = new_store(pipeline)
    found: list[Matrix | None] = []
    for n, step in enumerate(steps):
        found.append(run(pipeline, store, step))
        if step.hands_over:
            store = new_store(pipeline)
            fill(store, [each for each in steps[: n + 1] if each.commits])
    return found


def reloaded(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """A new store after every hand-over, loaded with what the old one exported before it went on."""
    store = new_store(pipeline)
    saved: State | None = None
    found: list[Matrix | None] = []
    for step in steps:
        if saved is not None:
            run(pipeline, store, step)
            store = FeatureStore(pipeline)
            load(store, saved)
        found.append(run(pipeline, store, step))
        saved = save(pipeline, store) if step.hands_over else None
    return found


def taken_back(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """One store that loses its partitions at every hand-over, and has them back with what it exported."""
    store = new_store(pipeline)
    found: list[Matrix | None] = []
    for step in steps:
        found.append(run(pipeline, store, step))
        if step.hands_over:
            saved = save(pipeline, store)
            for partition in range(PARTITIONS):
                store.drop_partition(partition)
            load(store, saved)
    return found


def widened(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """A store of half of the entries until the last hand-over; then of all, new groups from history."""
    some = pipeline.features.model_copy(update={"windows": pipeline.features.windows[::2]})
    narrow = pipeline.model_copy(update={"features": some})
    until = max((n + 1 for n, step in enumerate(steps) if step.hands_over), default=0)
    store, past = new_store(narrow), [step for step in steps[:until] if step.commits]
    for step in past:
        run(narrow, store, step)
    saved = save(narrow, store)
    store = FeatureStore(pipeline)
    known = load(store, saved)
    new = set(store.layouts(None)) - known
    for step in past:
        replay(pipeline, store, step.deltas, step.events, only=new)
    return [*([None] * until), *(run(pipeline, store, step) for step in steps[until:])]


def offline(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """The twin over what was applied; of what was rolled back it knows nothing."""
    committed = [step for step in steps if step.commits]
    events = [event for step in committed for event in step.events]
    table = pa.Table.from_batches([events_of(pipeline, events)])
    orders = {"seq": pa.int64(), "decided_seq": pa.int64(), "let_through": pa.bool_()}
    for name, kind in orders.items():
        table = table.append_column(name, pa.array([getattr(event, name) for event in events], kind))
    partitions = pa.array([event.partition for event in events], pa.int32())
    table = table.append_column("source_partition", partitions)
    with memory(threads=1) as connection:
        connection.register("events", table)
        deltas = [delta for step in committed for delta in step.deltas]
        connection.register("deltas", pa.Table.from_batches([deltas_of(pipeline, deltas)]))
        found = offline_features(connection, pipeline)
    rows, width = _by_order(pipeline, found), len(pipeline.feature_vector)
    return [
        np.array([rows[event.seq] for event in step.events]).reshape(len(step.events), width)
        if step.commits
        else None
        for step in steps
    ]


def _by_order(pipeline: Pipeline, found: pa.Table) -> dict[int, list[float]]:
    columns = [found.column(feature.name).to_numpy() for feature in pipeline.feature_vector]
    orders: list[Any] = found.column("seq").to_pylist()
    return dict(zip(orders, np.column_stack(columns).tolist(), strict=True))
