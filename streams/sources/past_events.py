"""A file of past events as typed columns, in the order in which they happened."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from feature_store import duck
from feature_store.duck import quoted
from feature_store.errors import ConfigError
from feature_store.log import event_schema
from streams.sources.columns import fits_sql, fraud_sql, instant_sql, mapped_columns, typed_sql
from streams.sources.past_file import opened

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from feature_store.declaration.event import EventSpec
    from feature_store.declaration.pipeline import Pipeline

_POSITION, _FRAUD, _MISFIT = "sluicegate row", "sluicegate fraud", "sluicegate misfit"
"""Columns beside those of the file; no identifier has a space."""


@dataclass(frozen=True)
class PastEvents:
    """Past events, by event time and, where that is equal, in file order.

    ``events`` has the types of ``event_schema``; ``fraud`` says of each what the label column says.
    """

    events: pa.Table
    fraud: np.ndarray[Any, np.dtype[np.bool_]]
    event: EventSpec

    @property
    def rows(self) -> int:
        """How many events."""
        return int(self.events.num_rows)

    @cached_property
    def times(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Event times in us since 1970 UTC."""
        return self.events[self.event.time].cast(pa.int64()).to_numpy()

    @cached_property
    def ids(self) -> pa.Array[Any]:
        """Event ids as text."""
        return _text(self.events[self.event.id])

    @cached_property
    def keys(self) -> pa.Array[Any]:
        """What Kafka partitions by, as text."""
        return _text(self.events[self.event.key])


def read_past_events(pipeline: Pipeline, file: Path) -> PastEvents:
    """The events of ``file`` by the declared mapping, ``event.file``.

    Raises ConfigError where the file cannot be read, lacks a column, holds an id twice, or has a value that
    is none of the declared type: with column, row (the first is 1) and value.
    """
    event = pipeline.event
    connection, table, found = opened(file)
    try:
        columns = mapped_columns(event, found, str(file))
        rows = connection.sql(_query(event, table, columns, found, str(file))).to_arrow_table()
        _refuse_misfit(connection, table, rows, event, columns, file)
    except duck.DuckError as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    finally:
        connection.close()
    fraud = rows[_FRAUD].to_numpy()
    past = PastEvents(rows.select(list(event.fields)).cast(event_schema(event)), fraud, event)
    _refuse_twice(past, file)
    return past


def _query(event: EventSpec, table: str, columns: dict[str, str], found: dict[str, str], file: str) -> str:
    values: list[str] = []
    misfits: list[str] = []
    for name, spec in event.fields.items():
        column = columns.get(name)
        if column is None:
            values.append(f"NULL AS {quoted(name)}")
            continue
        value = typed_sql(column, spec.type, found[column], file)
        values.append(f"{value} AS {quoted(name)}")
        fits = fits_sql(column, spec.type, found[column], file, required=spec.required)
        misfits.append(f"WHEN NOT ({fits}) THEN {len(misfits)}")
    values += [f"{fraud_sql(event.file.label)} AS {quoted(_FRAUD)}", quoted(_POSITION)]
    values.append(f"CASE {' '.join(misfits)} END AS {quoted(_MISFIT)}")
    time = columns[event.time]
    instant_sql(time, found[time], file)  # refuses a column that holds no instants at all
    return (
        f"SELECT {', '.join(values)} "  # noqa: S608  (names and texts are quoted)
        f"FROM (SELECT *, row_number() OVER () AS {quoted(_POSITION)} FROM {table}) "
        f"ORDER BY {quoted(event.time)}, {quoted(_POSITION)}"
    )


def _refuse_misfit(
    connection: duck.Connection,
    table: str,
    rows: pa.Table,
    event: EventSpec,
    columns: dict[str, str],
    file: Path,
) -> None:
    misfits = rows.filter(pc.is_valid(rows[_MISFIT]))
    if not misfits.num_rows:
        return
    first = misfits.sort_by(_POSITION).slice(0, 1).to_pylist()[0]
    field = [name for name in event.fields if name in columns][first[_MISFIT]]
    column, row = columns[field], first[_POSITION]
    value = connection.sql(
        f"SELECT CAST({quoted(column)} AS VARCHAR) FROM {table} LIMIT 1 OFFSET {row - 1}"  # noqa: S608
    ).fetchall()[0][0]
    spec = event.fields[field]
    said = "holds nothing" if value is None else f"holds {value!r}"
    more = f" (and {misfits.num_rows - 1} more rows do not fit)" if misfits.num_rows > 1 else ""
    may_be_absent = value is None and field not in {event.id, event.time, event.key}
    optional = f"; if it may be absent: event.fields.{field}.required: false" if may_be_absent else ""
    raise ConfigError(
        f"{file}: row {row}: column {column!r} {said}, but the field {field!r} is declared "
        f"{spec.type}{' and required' if spec.required else ''}{optional}{more}"
    )


def _refuse_twice(past: PastEvents, file: Path) -> None:
    ids = past.ids
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    counts: Any = pc.value_counts(ids)
    place = int(pc.index(pc.equal(counts.field("counts"), pa.scalar(1)), pa.scalar(value=False)).as_py())
    twice = counts[place].as_py()
    raise ConfigError(
        f"{file}: the event id {twice['values']!r} stands in {twice['counts']} rows; an id names one event"
    )


def _text(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.StringArray) else whole.cast(pa.string())
