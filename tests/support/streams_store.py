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

State = dict[int | None, tuple[dict[str, str], dict[str, np.ndarray[Any, Any]]]]
"""Partition, or None for all of them -> the layouts of the groups, and the arrays."""


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


def save(pipeline: Pipeline, store: FeatureStore) -> State:
    """The committed state as snapshots have it: as a whole, or by partition where every entity follows it."""
    scopes = [None] if pipeline.global_features else list(range(PARTITIONS))
    return {scope: (store.layouts(scope), store.export(scope)) for scope in scopes}


def load(store: FeatureStore, saved: State) -> set[str]:
    """Give the store partitions with what was saved of groups that are still the same; the names of these."""
    for partition in range(PARTITIONS):
        store.add_partition(partition)
    held = set(store.layouts(None))
    for scope, (layouts, arrays) in saved.items():
        changed = {name for name, layout in store.layouts(scope).items() if layouts.get(name) != layout}
        same = {name: array for name, array in arrays.items() if changed.isdisjoint(name.split("/"))}
        held &= store.load(scope, same) - changed
    return held


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
