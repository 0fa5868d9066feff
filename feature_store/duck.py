"""The one door to DuckDB.

Instants are TIMESTAMP in UTC: TIMESTAMPTZ needs the icu extension, which is not in the wheel.
"""

from __future__ import annotations

import atexit
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import duckdb
from duckdb import DuckDBPyConnection as Connection
from duckdb import Error as DuckError

from feature_store.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

__all__ = [
    "Connection",
    "DuckError",
    "limit_memory",
    "literal",
    "memory",
    "open_store",
    "path_of",
    "quoted",
    "relations",
    "sandbox",
    "write_parquet",
]


def memory(threads: int = 2, *, spill: Path | None = None, limit: str = "") -> Connection:
    """A database in memory that can read files: for snapshots and files of past events.

    Beyond ``limit`` bytes ("2GB") what it works on goes to files in the folder ``spill``.
    """
    config: dict[str, str | bool | int | float | list[str]] = {"threads": threads}
    if spill is not None:
        config |= {"temp_directory": str(spill), "memory_limit": limit}
    return duckdb.connect(":memory:", config=config)


def path_of(file: Path) -> str:
    """How DuckDB must be told of ``file``: *, ? and [ in a name would make it read others."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in str(file))


def quoted(name: str) -> str:
    """An identifier, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text value."""
    return "'" + text.replace("'", "''") + "'"


def write_parquet(
    connection: Connection, query: str, file: Path, parameters: Mapping[str, object] | None = None
) -> None:
    """Write what ``query`` gives to ``file``."""
    into = f"COPY ({query}) TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd)"
    connection.execute(into, dict(parameters or {}))


@contextmanager
def relations(connection: Connection, **tables: pa.Table) -> Iterator[None]:
    """Tables in memory as relations of these names, until the end of a block that succeeds; one that fails
    ends its transaction, too, and leaves names that the next use takes anew.
    """
    for name, table in tables.items():
        connection.register(name, table)
    yield
    for name in tables:
        connection.unregister(name)


def sandbox() -> Connection:
    """A connection for expressions that users write: no files, no network, no settings.

    What it registers and prepares is its own; the empty database behind it serves the whole process, since to
    open one takes a thousand times as long.
    """
    return _shut_off().cursor()


@cache
def _shut_off() -> Connection:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    atexit.register(_shut_off.cache_clear)  # what is left when Python goes would be told as leaked
    return connection


def limit_memory(connection: Connection, mebibytes: int) -> None:
    """What the database takes at most, for all of its connections; its own default is most of the machine."""
    connection.execute(f"SET memory_limit = '{mebibytes:d}MiB'")


def open_store(path: Path, *, read_only: bool = False) -> Connection:
    """The store at ``path``. Raises StorageError when another process holds it or it is damaged."""
    try:
        return duckdb.connect(str(path), read_only=read_only)
    except duckdb.Error as error:
        raise StorageError(f"{path}: cannot be opened: {error}") from error
