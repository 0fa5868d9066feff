"""A folder of history as the backfill writes it, and live rows as the sink would have written them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.log import decode_log, delta_schema
from tests.unit.keeper.written import MINUTE, START, log_message
from training.keeper.definitions import add_definitions, digest_of
from training.keeper.history import DELTAS, OUTCOMES, SCORED, History, write_history
from training.keeper.rows import schema_of

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

OUTCOME_SCHEMA = schema_of(
    ("event_id", pa.string()),
    ("label", pa.string()),
    ("source", pa.string()),
    ("observed_at", pa.timestamp("us")),
    ("arrived_at", pa.timestamp("us")),
    ("partition", pa.int32()),
    ("offset", pa.int64()),
)


def hashes(pipeline: Pipeline) -> dict[str, str]:
    return {feature.name: feature.hash for feature in pipeline.feature_vector}


def past_rows(pipeline: Pipeline, count: int, partition: int = 0, **columns: Any) -> pa.Table:
    """``count`` events before the first live one of a partition: h0-1 is the newest."""
    batch, _ = decode_log(log_message(pipeline, partition, -count, count, **columns))
    offsets = range(-count, 0)
    table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
    ids = pa.array([f"h{partition}{offset}" for offset in offsets])
    seqs = pa.array([offset + count + 1 for offset in offsets], pa.int64())
    for name, column in (("event_id", ids), ("seq", seqs), ("decided_seq", seqs)):
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def outcome_rows(*events: str, minute: int = 0) -> pa.Table:
    """A word of fraud for each."""
    values = [
        {
            "event_id": event,
            "label": "fraud",
            "source": "analyst",
            "observed_at": START + minute * MINUTE,
            "arrived_at": START + minute * MINUTE,
            "partition": -1,
            "offset": offset,
        }
        for offset, event in enumerate(events)
    ]
    return pa.Table.from_pylist(values, OUTCOME_SCHEMA)


def delta_rows(pipeline: Pipeline, *events: str, partition: int = 0) -> pa.Table:
    """A delta of +1 for each, in this order."""
    values = [
        {
            "seq": 1_000 + number,
            "route_seq": number,
            "source_partition": partition,
            "event_id": event,
            "event_time": START,
            "fraud": 1,
            "let_through": True,
            "entity_card": "c1",
        }
        for number, event in enumerate(events, 1)
    ]
    return pa.Table.from_pylist(values, delta_schema(pipeline))


def write_folder(folder: Path, history: History, **tables: pa.Table) -> Path:
    """Write these tables (scored, outcomes, deltas) and what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in (("scored", SCORED), ("outcomes", OUTCOMES), ("deltas", DELTAS)):
        if name in tables:
            pq.write_table(tables[name], folder / file)
    write_history(folder, history)
    return folder


def whole_history(folder: Path, declared: Pipeline, **instead: Any) -> Path:
    """Twenty past events on two partitions; three are known as fraud, two of them by deltas."""
    tables: dict[str, Any] = {
        "scored": pa.concat_tables([past_rows(declared, 10), past_rows(declared, 10, partition=1)]),
        "outcomes": outcome_rows("h0-3", "h0-5", "h1-4", minute=-1),
        "deltas": delta_rows(declared, "h0-3", "h0-5"),
    }
    said: dict[str, Any] = {
        "pipeline": declared.name,
        "features": hashes(declared),
        "first_event_time": START - 10 * MINUTE,
        "last_event_time": START - MINUTE,
        "rows": 20,
    }
    tables |= {name: instead.pop(name) for name in tuple(instead) if name in tables}
    return write_folder(folder, History(**(said | instead)), **tables)


def add_live(store: Connection, pipeline: Pipeline, first: int, count: int, **columns: Any) -> None:
    """Sink a message of live events of partition 0."""
    batch, meta = decode_log(log_message(pipeline, 0, first, count, **columns))
    digest = digest_of(meta.hashes)
    store.register("incoming", pa.Table.from_batches([batch]).replace_schema_metadata(None))
    store.execute("INSERT INTO scored BY NAME FROM incoming")
    store.unregister("incoming")
    add_definitions(store, {digest: meta.hashes})
    store.execute(
        "INSERT INTO batches VALUES (0, $first, $topic, $first, $next, $count, 0, 0, 0, 0, $digest, 0, 0)",
        {
            "first": first,
            "topic": pipeline.topics.events,
            "next": first + count,
            "count": count,
            "digest": digest,
        },
    )
