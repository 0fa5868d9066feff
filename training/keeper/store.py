"""The keeper's store: one DuckDB file, written by the keeper alone.

The connection that ``open_keeper_store`` returns belongs to the sink's thread; every other thread works on a
``cursor()`` of it.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from feature_store.duck import Connection, DuckError, limit_memory, open_store, relations
from feature_store.errors import StorageError
from feature_store.log import delta_schema, log_schema
from training.keeper.migrations import migrate
from training.keeper.queries import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

STORE = "keeper.duckdb"
LOCK = "keeper.lock"
"""Beside the store; whoever opens it holds this."""


def open_keeper_store(path: Path, pipeline: Pipeline) -> Connection:
    """Open or create the store, and add a column for every feature that is new in ``pipeline``.

    A store of an older version is migrated. Raises StorageError when another process holds it, or it belongs
    to another pipeline or a newer version.
    """
    store = open_store(path)
    try:
        limit_memory(store, pipeline.training.store_memory_mb)
        with transaction(store):
            _prepare(store, path, pipeline)
    except BaseException:
        store.close()
        raise
    return store


@contextmanager
def looked_at(path: Path, pipeline: Pipeline) -> Iterator[Connection]:
    """The store as ``open_keeper_store`` makes it fit, inside a transaction that is rolled back at the end.

    A pipeline file that is only tried so leaves no column behind. Raises StorageError as that does.
    """
    store = open_store(path)
    try:
        store.begin()
        _prepare(store, path, pipeline)
        yield store
    finally:
        store.close()  # which rolls back


def existing_store(state_dir: Path) -> Path:
    """Where the store of ``state_dir`` is. Raises StorageError where there is none."""
    path = state_dir / STORE
    if not path.is_file():
        raise StorageError(
            f"{path}: there is no store; a keeper makes it when it first runs. If it is in another folder: "
            "--state-dir FOLDER"
        )
    return path


def outbox_schema(pipeline: Pipeline) -> pa.Schema:
    """The columns of the deltas that are routed; ``arrived_at`` is when the truth was known."""
    delta = delta_schema(pipeline)
    return delta.remove(delta.get_field_index("seq")).append(pa.field("arrived_at", pa.timestamp("us")))


def columns_of(store: Connection, table: str) -> dict[str, str]:
    """Column -> DuckDB's type."""
    return dict(store.execute(sql("columns_of"), {"table": table}).fetchall())


def fill_entities(store: Connection, table: str, fields: Iterable[str]) -> None:
    """Say of the deltas in ``table`` that lack them to whom they belong by ``fields``: what their event says.

    In the caller's transaction. A delta whose event is not in the store stays as it is.
    """
    for name in fields:
        store.execute(
            f'UPDATE {table} SET "entity_{name}" = event."{name}" FROM scored AS event '  # noqa: S608  (declared)
            f'WHERE {table}."entity_{name}" IS NULL AND {table}.source_partition = event.source_partition '
            f"AND {table}.event_id = CAST(event.event_id AS VARCHAR)"
        )


def bind_to_cluster(store: Connection, path: Path, cluster: str) -> None:
    """Tie the stored offsets to one Kafka cluster. Raises StorageError when they belong to another."""
    _expect(store, path, "kafka_cluster", cluster)


def rows(
    store: Connection, name: str, parameters: Mapping[str, object] | None = None
) -> list[dict[str, object]]:
    """The answer to a query of ``queries.sql``, a dictionary per row."""
    return asked(store, sql(name), parameters)


def asked(
    store: Connection, query: str, parameters: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """The answer to ``query``, a dictionary per row."""
    answer = store.execute(query, dict(parameters or {}))
    columns = [column[0] for column in answer.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def newest_arrival(store: Connection) -> int:
    """When the newest event that was scored arrived (us); 0 without any."""
    newest = rows(store, "newest_arrival")[0]["newest"]
    return newest if isinstance(newest, int) else 0


@contextmanager
def transaction(store: Connection) -> Iterator[None]:
    """Everything in the block, or nothing. Raises StorageError when it cannot be written."""
    store.begin()
    try:
        yield
        store.commit()
    except DuckError as error:
        with suppress(DuckError):  # a commit that failed has rolled back by itself
            store.rollback()
        raise StorageError(f"the keeper's store could not be written: {error}") from error
    except BaseException:
        store.rollback()
        raise


def _prepare(store: Connection, path: Path, pipeline: Pipeline) -> None:
    migrate(store, path)
    store.execute(sql("create_tables"))
    store.execute(sql("create_registry"))
    _expect(store, path, "pipeline", pipeline.name, "name its pipeline file with --config, or ")
    if "decided_seq" in _fit(store, path, "scored", log_schema(pipeline)):
        store.execute(sql("fill_decided_seq"))
    _fit(store, path, "deltas", delta_schema(pipeline))
    _fit(store, path, "outbox", outbox_schema(pipeline))
    _fill_new_entities(store, pipeline)
    store.execute(sql("create_views"))


def _expect(store: Connection, path: Path, name: str, value: str, cure: str = "") -> None:
    found = rows(store, "about", {"name": name})
    if not found:
        store.execute(sql("set_about"), {"name": name, "value": value})
    elif found[0]["value"] != value:
        raise StorageError(
            f"{path}: its {name} is {found[0]['value']!r}, expected {value!r}; "
            f"{cure}use another state folder, or move this file away to start anew"
        )


def _fill_new_entities(store: Connection, pipeline: Pipeline) -> None:
    """What was stored while a field was the entity of no outcome feature does not say what it was."""
    name = "outcome_fields"
    found = rows(store, "about", {"name": name})
    known = json.loads(str(found[0]["value"])) if found else []
    fields = list(pipeline.outcome_fields)
    if known == fields:
        return
    for table in ("deltas", "outbox"):
        fill_entities(store, table, [field for field in fields if field not in known])
    store.execute(sql("forget_about"), {"name": name})
    store.execute(sql("set_about"), {"name": name, "value": json.dumps(fields)})


def _fit(store: Connection, path: Path, table: str, schema: pa.Schema) -> set[str]:
    """Make ``table`` hold every column of ``schema``; gives the names of those that were added."""
    with relations(store, wanted=schema.empty_table()):
        wanted = dict(store.execute("SELECT column_name, column_type FROM (DESCRIBE wanted)").fetchall())
        store.execute(f"CREATE TABLE IF NOT EXISTS {table} AS FROM wanted")
    present = columns_of(store, table)
    for column, kind in wanted.items():
        if column not in present:
            store.execute(f'ALTER TABLE {table} ADD COLUMN "{column}" {kind}')
        elif present[column] != kind:
            raise StorageError(
                f"{path}: column {column!r} of {table} is stored as {present[column]}, but the pipeline file "
                f"now makes it {kind}; give the field or feature another name"
            )
    return set(wanted) - set(present)
