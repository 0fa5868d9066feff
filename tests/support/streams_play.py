"""The same stream through each way of computing its features: one matrix per step, None where not asked."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.columns import to_arrow
from feature_store.duck import memory
from feature_store.log import delta_schema, event_schema
from feature_store.offline import offline_features
from feature_store.store import FeatureStore
from tests.support.oracle import Delta, Event, Oracle
from tests.support.streams import PARTITIONS, placed
from tests.support.streams_pipeline import MEANING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from tests.support.oracle_numbers import Expected
    from tests.support.streams import DrawnStream, Step

    Play = Callable[[Pipeline, Sequence[Step]], list[Matrix | None]]

State = dict[int | None, dict[str, np.ndarray[Any, Any]]]
Place = tuple[int, int]
"""A step and an event of it."""


def expected(
    pipeline: Pipeline, steps: Sequence[Step], places: Collection[Place] | None = None
) -> dict[Place, list[Expected]]:
    """What the oracle says about every event that is not late, or about those at ``places``."""
    oracle = Oracle(pipeline, MEANING)
    history: list[Event | Delta] = []
    found = {}
    for n, step in enumerate(steps):
        seen = [*history, *step.deltas, *step.events]
        for row, event in enumerate(step.events):
            if not step.late[row] and (places is None or (n, row) in places):
                found[n, row] = oracle.vector(event, seen)
        if step.commits:
            history = seen
    return found


def online(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """One store that lives through all of it."""
    store = new_store(pipeline)
    return [run(pipeline, store, step) for step in steps]


def replayed(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """A new store after every hand-over, filled from what was applied."""
    store = new_store(pipeline)
    found: list[Matrix | None] = []
    for n, step in enumerate(steps):
        found.append(run(pipeline, store, step))
        if step.hands_over:
            store = new_store(pipeline)
            for past in steps[: n + 1]:
                if past.commits:
                    replay(pipeline, store, past.deltas, past.events)
    return found


def replayed_at_once(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """A new store after every hand-over, filled with all events and then all deltas in one go."""
    store = new_store(pipeline)
    found: list[Matrix | None] = []
    for n, step in enumerate(steps):
        found.append(run(pipeline, store, step))
        if step.hands_over:
            store = new_store(pipeline)
            past = [each for each in steps[: n + 1] if each.commits]
            deltas = [delta for each in past for delta in each.deltas]
            replay(pipeline, store, deltas, [event for each in past for event in each.events])
    return found


def reloaded(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """A new store after every hand-over, loaded with what the old one exported before it went on."""
    store = new_store(pipeline)
    saved: State | None = None
    found: list[Matrix | None] = []
    for step in steps:
        if saved is not None:
            run(pipeline, store, step)
            store = load(FeatureStore(pipeline), saved)
        found.append(run(pipeline, store, step))
        saved = save(store) if step.hands_over else None
    return found


def taken_back(pipeline: Pipeline, steps: Sequence[Step]) -> list[Matrix | None]:
    """One store that loses its partitions at every hand-over, and has them back with what it exported."""
    store = new_store(pipeline)
    found: list[Matrix | None] = []
    for step in steps:
        found.append(run(pipeline, store, step))
        if step.hands_over:
            saved = save(store)
            for partition in range(PARTITIONS):
                store.drop_partition(partition)
            load(store, saved)
    return found


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


def new_store(pipeline: Pipeline) -> FeatureStore:
    """An empty store that holds every partition."""
    store = FeatureStore(pipeline)
    for partition in range(PARTITIONS):
        store.add_partition(partition)
    return store


def save(store: FeatureStore) -> State:
    """The committed state, partition by partition and that over all of them."""
    return {partition: store.export(partition) for partition in [*range(PARTITIONS), None]}


def load(store: FeatureStore, saved: State) -> FeatureStore:
    """The store, with partitions that hold what was saved."""
    for partition in range(PARTITIONS):
        store.add_partition(partition)
    for of, state in saved.items():
        store.load(of, state)
    return store


def run(pipeline: Pipeline, store: FeatureStore, step: Step) -> Matrix:
    """One transaction."""
    if step.deltas:
        store.learn(deltas_of(pipeline, step.deltas))
    found = store.observe(events_of(pipeline, step.events), [event.partition for event in step.events])
    store.decided(np.array([event.let_through for event in step.events], np.bool_))
    if step.commits:
        store.commit()
    else:
        store.rollback()
    return found


def replay(pipeline: Pipeline, store: FeatureStore, deltas: Sequence[Delta], events: Sequence[Event]) -> None:
    """Apply what was applied before, as recovery does."""
    if deltas:
        store.learn(deltas_of(pipeline, deltas))
    partitions = [event.partition for event in events]
    let_through = np.array([event.let_through for event in events], np.bool_)
    store.apply(events_of(pipeline, events), partitions, let_through)
    store.commit()


def events_of(pipeline: Pipeline, events: Sequence[Event]) -> pa.RecordBatch:
    """The events as a scorer holds them: a part of a larger batch."""
    schema = event_schema(pipeline.event)
    columns = [
        to_arrow(spec.type, [event.values[name] for event in [*events[:1], *events]])
        for name, spec in pipeline.event.fields.items()
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema).slice(1)


def deltas_of(pipeline: Pipeline, deltas: Sequence[Delta]) -> pa.RecordBatch:
    """The deltas as a scorer holds them."""
    schema = delta_schema(pipeline)
    plain: dict[str, list[Any]] = {
        "seq": [delta.seq for delta in deltas],
        "route_seq": [delta.seq + 1 for delta in deltas],
        "source_partition": [delta.partition for delta in deltas],
        "event_id": [delta.entity["id"] for delta in deltas],
        "event_time": [delta.event_time for delta in deltas],
        "fraud": [delta.fraud for delta in deltas],
        "let_through": [delta.let_through for delta in deltas],
    }
    entity = {
        f"entity_{name}": to_arrow(pipeline.event.fields[name].type, [delta.entity[name] for delta in deltas])
        for name in pipeline.outcome_fields
    }
    columns = [
        entity[field.name] if field.name in entity else pa.array(plain[field.name], field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def differences(
    pipeline: Pipeline, right: Mapping[Place, Sequence[Expected]], found: Sequence[Matrix | None]
) -> Iterator[str]:
    """Every value that the oracle does not allow, in words."""
    names = [feature.name for feature in pipeline.feature_vector]
    for (n, row), wanted in right.items():
        matrix = found[n]
        if matrix is None:
            continue
        for name, value, allowed in zip(names, matrix[row].tolist(), wanted, strict=True):
            if not allowed.allows(value):
                yield f"step {n}, event {row}: {name} is {value!r}; the oracle says {allowed}"


def assert_parity(way: Play, pipeline: Pipeline, drawn: DrawnStream) -> None:
    """The features of the stream are what the oracle says."""
    steps = placed(pipeline, drawn)
    wrong = list(islice(differences(pipeline, expected(pipeline, steps), way(pipeline, steps)), 5))
    assert not wrong, "\n".join(wrong)
