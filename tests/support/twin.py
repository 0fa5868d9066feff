"""Small histories for the offline twin, and its answer beside the oracle's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from feature_store.columns import to_arrow
from feature_store.duck import memory
from feature_store.log import delta_schema
from feature_store.offline import offline_features

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from tests.support.oracle import Delta, Event


def stored(pipeline: Pipeline, history: Sequence[Event | Delta]) -> Connection:
    """A database with the relations ``events`` and ``deltas`` of a history."""
    events = [each for each in history if not hasattr(each, "fraud")]
    deltas = [each for each in history if hasattr(each, "fraud")]
    connection = memory()
    for name, table in (("events", _events(pipeline, events)), ("deltas", _deltas(pipeline, deltas))):
        connection.register("taken", table)
        connection.execute(f"create table {name} as select * from taken")  # noqa: S608  (two names)
        connection.unregister("taken")
    return connection


def twin(
    pipeline: Pipeline, history: Sequence[Event | Delta], only: Collection[str] | None = None
) -> dict[tuple[int, int], dict[str, Any]]:
    """(partition, seq) of each event -> its features."""
    connection = stored(pipeline, history)
    try:
        rows = offline_features(connection, pipeline, only=only).to_pylist()
    finally:
        connection.close()
    return {(row.pop("source_partition"), row.pop("seq")): row for row in rows}


def _events(pipeline: Pipeline, events: Sequence[Any]) -> pa.Table:
    columns: dict[str, Any] = {
        name: to_arrow(spec.type, [each.values[name] for each in events])
        for name, spec in pipeline.event.fields.items()
    }
    columns["source_partition"] = pa.array([each.partition for each in events], pa.int32())
    columns["seq"] = pa.array([each.seq for each in events], pa.int64())
    columns["decided_seq"] = pa.array([each.decided_seq for each in events], pa.int64())
    columns["let_through"] = pa.array([each.let_through for each in events], pa.bool_())
    return pa.table(columns)


def _deltas(pipeline: Pipeline, deltas: Sequence[Any]) -> pa.Table:
    rows = [
        {
            "seq": each.seq,
            "route_seq": number,
            "source_partition": each.partition,
            "event_id": "",
            "event_time": each.event_time,
            "fraud": each.fraud,
            "let_through": each.let_through,
            **{f"entity_{name}": each.entity[name] for name in pipeline.outcome_fields},
        }
        for number, each in enumerate(deltas)
    ]
    return pa.Table.from_pylist(rows, delta_schema(pipeline))
