"""The one door to DuckDB.

Instants are TIMESTAMP in UTC: TIMESTAMPTZ needs the icu extension, which is not in the wheel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
from duckdb import DuckDBPyConnection as Connection
from duckdb import Error as DuckError

from feature_store.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Connection", "DuckError", "memory", "open_store", "path_of", "sandbox"]


def memory(threads: int = 2) -> Connection:
    """A database in memory that can read files: for snapshots and files of past events."""
    return duckdb.connect(":memory:", config={"threads": threads})


def path_of(file: Path) -> str:
    """How DuckDB must be told of ``file``: *, ? and [ in a name would make it read others."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in str(file))


def sandbox() -> Connection:
    """A database in memory for expressions that users write: no files, no network, no settings."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def open_store(path: Path, *, read_only: bool = False) -> Connection:
    """The store at ``path``. Raises StorageError when another process holds it or it is damaged."""
    try:
        return duckdb.connect(str(path), read_only=read_only)
    except duckdb.Error as error:
        raise StorageError(f"{path}: cannot be opened: {error}") from error
