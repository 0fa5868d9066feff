"""The keeper's store: one DuckDB file, written by the keeper alone.

The connection that ``open_keeper_store`` returns belongs to the sink's thread; every other thread works on a
``cursor()`` of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.duck import Connection, open_store
from feature_store.errors import StorageError
from feature_store.log import log_schema
from training.keeper.queries import sql

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

STORE = "keeper.duckdb"
SCHEMA_VERSION = "1"


def open_keeper_store(path: Path, pipeline: Pipeline) -> Connection:
    """Open or create the store, and add a column for every feature that is new in ``pipeline``.

    Raises StorageError when another process holds it, or it belongs to another pipeline or schema version.
    """
    store = open_store(path)
    store.begin()
    store.execute(sql("create_tables"))
    _expect(store, path, "schema_version", SCHEMA_VERSION)
    _expect(store, path, "pipeline", pipeline.name)
    _fit_scored(store, path, pipeline)
    store.commit()
    return store


def bind_to_cluster(store: Connection, path: Path, cluster: str) -> None:
    """Tie the stored offsets to one Kafka cluster. Raises StorageError when they belong to another."""
    _expect(store, path, "kafka_cluster", cluster)


def rows(
    store: Connection, name: str, parameters: Mapping[str, object] | None = None
) -> list[dict[str, object]]:
    """The answer to a query of ``queries.sql``, a dictionary per row."""
    answer = store.execute(sql(name), dict(parameters or {}))
    columns = [column[0] for column in answer.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def _expect(store: Connection, path: Path, name: str, value: str) -> None:
    found = rows(store, "about", {"name": name})
    if not found:
        store.execute(sql("set_about"), {"name": name, "value": value})
    elif found[0]["value"] != value:
        raise StorageError(
            f"{path}: its {name} is {found[0]['value']!r}, expected {value!r}; "
            "use another state folder, or move this file away to start anew"
        )


def _fit_scored(store: Connection, path: Path, pipeline: Pipeline) -> None:
    store.register("incoming_scored", log_schema(pipeline).empty_table())
    wanted = dict(store.execute("SELECT column_name, column_type FROM (DESCRIBE incoming_scored)").fetchall())
    store.execute("CREATE TABLE IF NOT EXISTS scored AS FROM incoming_scored")
    store.unregister("incoming_scored")
    present = dict(store.execute(sql("columns_of_scored")).fetchall())
    for column, kind in wanted.items():
        if column not in present:
            store.execute(f'ALTER TABLE scored ADD COLUMN "{column}" {kind}')
        elif present[column] != kind:
            raise StorageError(
                f"{path}: column {column!r} is stored as {present[column]}, but the pipeline file now makes "
                f"it {kind}; give the field or feature another name"
            )
