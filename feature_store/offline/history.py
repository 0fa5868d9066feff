"""The stored events as the twin works on them: only the columns that are needed, one number per row.

Users' SQL never runs on the connection that holds the history: rows go through the same shut-off DuckDB as
in the scorer, so that an expression means the same in both and can read nothing but its event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from feature_store.declaration.features import fields_in
from feature_store.duck import quoted
from feature_store.errors import ContractError
from feature_store.expressions import RowQuery, condition_expressions, row_expressions
from feature_store.log import arrow_type
from feature_store.offline.plan import SEQ
from feature_store.offline.sql import field, listed, sql_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from feature_store.declaration.aggregates import Condition
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from feature_store.expressions import Expression
    from feature_store.offline.scratch import Scratch

_BATCH = 65_536
_ORDER = ("source_partition", SEQ, "decided_seq", "let_through")
_BEFORE_ALL = 2**62
"""Further back than any applied order goes, and still far from the end of an int64."""


@dataclass(frozen=True)
class History:
    """``rows``: row, the applied orders, t (us) and the fields. ``values``: row and what expressions gave."""

    rows: str
    values: str | None
    flags: dict[str, str]
    """Condition -> its boolean column of ``values``."""
    numbers: dict[str, str]
    """Row expression -> its float64 column of ``values``."""


def take(
    scratch: Scratch,
    pipeline: Pipeline,
    events: str,
    orders: Mapping[str, str | None],
    fields: Iterable[str],
    expressions: dict[str, str],
    conditions: Iterable[Condition],
) -> History:
    """Number the events and evaluate row expressions and conditions.

    ``orders`` are the columns that say in which order a stage applied the events, each with that which says
    what the stage knew of outcomes.

    Raises ContractError naming a column that the history lacks, ConfigError for an unsound expression.
    """
    wanted = [*row_expressions(expressions), *condition_expressions(conditions)]
    mentioned = [name for each in wanted for name in fields_in(each.sql, pipeline.event.fields)]
    rows = _rows(scratch, pipeline, events, orders, dict.fromkeys([*fields, *mentioned]))
    columns = [f"x{position}" for position in range(len(wanted))]  # a condition may be named as a feature is
    values = _evaluated(scratch, pipeline, rows, wanted, len(expressions)) if wanted else None
    names = [each.name for each in wanted]
    numbers, flags = (
        dict(zip(names[part], columns[part], strict=True))
        for part in (slice(len(expressions)), slice(len(expressions), None))
    )
    return History(rows, values, flags, numbers)


def _rows(
    scratch: Scratch,
    pipeline: Pipeline,
    events: str,
    orders: Mapping[str, str | None],
    fields: Iterable[str],
) -> str:
    event = pipeline.event
    names = dict.fromkeys([event.id, event.time, *fields])
    present = _require(scratch.connection, events, [*_ORDER, *names])
    columns = [_order(name, present) for name in orders if name != SEQ]
    columns += [_known(order, name, present) for order, name in orders.items() if name is not None]
    columns += [
        f"cast({quoted(name)} as {sql_type(event.fields[name].type)}) as {field(name)}" for name in names
    ]
    return scratch.table(
        f"select row_number() over () - 1 as row, {listed(_ORDER)}, "  # noqa: S608  (quoted names)
        f"epoch_us(cast({quoted(event.time)} as TIMESTAMP)) as t, {listed(columns)} from {quoted(events)}"
    )


def _order(name: str, present: list[str]) -> str:
    """The order of an earlier stage. Rows that were decided before there were stages come first."""
    return f"coalesce({name}, {SEQ} - {_BEFORE_ALL}) as {name}" if name in present else f"{SEQ} as {name}"


def _known(order: str, name: str, present: list[str]) -> str:
    """Up to which ``route_seq`` a stage knew of outcomes; null for rows of before there were stages."""
    if order not in present:
        return f"null::BIGINT as {name}"
    return f"if({order} is null, null, {f'coalesce({name}, 0)' if name in present else '0'}) as {name}"


def _require(connection: Connection, relation: str, columns: list[str]) -> list[str]:
    """The columns that the relation has. Raises ContractError where one of ``columns`` is not among them."""
    found = connection.sql(f"select * from {quoted(relation)} limit 0").columns  # noqa: S608
    if missing := [name for name in columns if name not in found]:
        raise ContractError(f"{relation}: lacks the columns {', '.join(missing)}")
    return found


def _evaluated(
    scratch: Scratch, pipeline: Pipeline, rows: str, wanted: list[Expression], numbers: int
) -> str:
    types = pipeline.event.fields
    names = [name for name in types if any(fields_in(each.sql, [name]) for each in wanted)]
    schema = pa.schema([pa.field(name, arrow_type(types[name].type)) for name in names] or [_NO_FIELD])
    selected = [f"{field(name)} as {quoted(name)}" for name in names] or ["0::BIGINT as row"]
    query = RowQuery(schema, wanted)
    stream = scratch.connection.sql(
        f"select {listed(selected)} from {rows} order by row"  # noqa: S608  (quoted names)
    ).to_arrow_reader(_BATCH)
    found = [query.numbers(batch.cast(schema)) for batch in stream]
    matrix = np.concatenate(found) if found else np.empty((0, len(wanted)))
    columns: dict[str, pa.Array[pa.Scalar[pa.DataType]]] = {"row": pa.array(np.arange(len(matrix)))}
    for position in range(len(wanted)):
        column = matrix[:, position]
        if position < numbers:
            columns[f"x{position}"] = pa.array(column, from_pandas=True)
        else:
            columns[f"x{position}"] = pa.array(np.nan_to_num(column, nan=0.0) != 0.0)
    return scratch.load(pa.table(columns))


_NO_FIELD = pa.field("row", pa.int64())
