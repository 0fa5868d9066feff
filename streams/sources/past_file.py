"""A Parquet or CSV file of past events as something that SQL can select from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store import duck
from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_PARQUET, _CSV = (".parquet", ".pq"), (".csv", ".csv.gz")


def opened(file: Path) -> tuple[duck.Connection, str, dict[str, str]]:
    """A database, what to select from in it, and the file's columns with their DuckDB types.

    CSV is read as text, so that ids keep their zeros and money its digits. Raises ConfigError where the
    file is not there or cannot be read.
    """
    table = _table(file)
    connection = duck.memory(threads=1)  # one thread: the order of the sort is the order of the result
    connection.execute("SET enable_progress_bar = false")
    try:
        described = connection.sql(f"DESCRIBE FROM {table}").fetchall()
    except duck.DuckError as error:
        connection.close()
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    return connection, table, {name: duck_type for name, duck_type, *_ in described}


def _table(file: Path) -> str:
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such file")
    if file.name.lower().endswith(_PARQUET):
        return f"read_parquet({duck.literal(duck.path_of(file))})"
    if file.name.lower().endswith(_CSV):
        return f"read_csv({duck.literal(duck.path_of(file))}, all_varchar = true)"
    raise ConfigError(f"{file}: expected a file named .parquet, .csv or .csv.gz")
