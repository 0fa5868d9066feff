"""Tables that live only while features are computed."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.duck import Connection

_NUMBERS = count()


class Scratch:
    """Temporary tables under names of their own, gone at the end."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._tables: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop(*self._tables)

    def table(self, query: str) -> str:
        """A new table with what ``query`` gives; its name, ready for SQL."""
        name = f"sluicegate_scratch_{next(_NUMBERS)}"
        self.connection.execute(f"create temp table {name} as {query}")
        self._tables.append(name)
        return name

    def load(self, table: pa.Table) -> str:
        """A new table with the rows of ``table``."""
        name = f"sluicegate_arrow_{next(_NUMBERS)}"
        self.connection.register(name, table)
        try:
            return self.table(f"select * from {name}")  # noqa: S608  (a name of our own)
        finally:
            self.connection.unregister(name)

    def drop(self, *tables: str) -> None:
        """Give the memory of some tables back."""
        for name in tables:
            self.connection.execute(f"drop table if exists {name}")
        self._tables = [name for name in self._tables if name not in tables]

    def row(self, query: str) -> tuple[Any, ...]:
        """The one row that ``query`` gives."""
        (found,) = self.connection.execute(query).fetchall()
        return tuple(found)
