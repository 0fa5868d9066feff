"""A feature store in the hands of the parity tests: its steps, what it saves, the batches that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.columns import to_arrow
from feature_store.log import delta_schema, event_schema
from feature_store.store import FeatureStore
from tests.support.streams import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from tests.support.oracle import Delta, Event
    from tests.support.streams import Step

State = dict[int | None, dict[str, np.ndarray[Any, Any]]]


def new_store(pipeline: Pipeline) -> FeatureStore:
    """An empty store that holds every partition."""
    store = FeatureStore(pipeline)
    for partition in range(PARTITIONS):
        store.add_partition(partition)
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


def replay(
    pipeline: Pipeline,
    store: FeatureStore,
    deltas: Sequence[Delta],
    events: Sequence[Event],
    only: set[str] | None = None,
) -> None:
    """Apply what was applied before, as recovery does."""
    if deltas:
        store.learn(deltas_of(pipeline, deltas), only=only)
    partitions = [event.partition for event in events]
    let_through = np.array([event.let_through for event in events], np.bool_)
    store.apply(events_of(pipeline, events), partitions, let_through, only=only)
    store.commit()


def save(store: FeatureStore) -> State:
    """The committed state, partition by partition and that over all of them."""
    return {partition: store.export(partition) for partition in [*range(PARTITIONS), None]}


def load(store: FeatureStore, saved: State) -> set[str]:
    """Give the store partitions that hold what was saved; the groups that were in it."""
    for partition in range(PARTITIONS):
        store.add_partition(partition)
    found = [store.load(of, state) for of, state in saved.items()]
    return set().union(*found)


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
