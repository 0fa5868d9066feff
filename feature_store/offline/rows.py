"""The events of one entity group in the order of event time, ties in applied order.

``e`` numbers the entities, ``n`` the events of each from 1. So a window of time is a stretch of n, and of
two events with one time only the one applied earlier lies before the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.offline.plan import SEQ, Input
from feature_store.offline.sql import exact_value, field, listed

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.offline.history import History
    from feature_store.offline.plan import Group
    from feature_store.offline.scratch import Scratch


@dataclass(frozen=True)
class Rows:
    """``entities``: e and the entity's columns.

    ``table``: row, e, n, t, seq, decided_seq, let_through and the inputs; of a group that says what its
    stage knew, ``known`` and ``own_seq``, the order where the event was decided. ``overtaken``: row and
    ``cut`` of the events that have something applied after them among those before them in time; so many rows
    back, counted from the event, is the first of it.
    """

    entities: str
    table: str
    overtaken: str | None
    inputs: dict[Input, str]
    complete: frozenset[Input]
    """Inputs without a null: counting them is counting rows."""


def rows_of(scratch: Scratch, pipeline: Pipeline, group: Group, history: History) -> Rows:
    """Number the entities, order their events, compute the inputs. Events without the entity are left out."""
    parts = [field(name) for name in group.entity] + (["source_partition"] if group.per_partition else [])
    known = " and ".join(f"{field(name)} is not null" for name in group.entity)
    entities = scratch.table(
        f"select row_number() over () as e, * from "  # noqa: S608  (quoted names)
        f"(select distinct {listed(parts)} from {history.rows} where {known})"
    )
    inputs = group.inputs
    values = [f"{_value(pipeline, history, each)} as {column}" for each, column in inputs.items()]
    source = f"{history.rows} join {entities} using ({listed(parts)})"
    if history.values:
        source += f" join {history.values} using (row)"
    seq = group.order
    carried = listed(["row", "e", "t", f"{seq} as seq", "decided_seq", "let_through", *values])
    if group.known is not None:
        carried += f", {group.known} as known, {history.rows}.{SEQ} as own_seq"
    order = f"over (partition by e order by t, {seq} rows unbounded preceding)"
    table = scratch.table(
        f"select {carried}, row_number() {order} as n, max({seq}) {order} as top from {source}"  # noqa: S608
    )
    return Rows(entities, table, _overtaken(scratch, table), inputs, _complete(scratch, table, inputs))


def _overtaken(scratch: Scratch, table: str) -> str | None:
    """``top`` never falls along n: the first row applied later is behind the last row whose top is not."""
    (number,) = scratch.row(f"select count(*) from {table} where top > seq")  # noqa: S608
    if number == 0:
        return None
    return scratch.table(
        f"select o.row, o.n - coalesce(x.n, 0) as cut from (from {table} where top > seq) as o "  # noqa: S608
        f"asof left join (select e, top, max(n) as n from {table} group by e, top) as x "
        "on o.e = x.e and o.seq >= x.top"
    )


def _value(pipeline: Pipeline, history: History, values: Input) -> str:
    if values.column is None:
        return f"case when {history.flags[values.condition or '']} then true end"
    value = exact_value(pipeline.event.fields[values.column].type, values.column)
    if values.condition is None:
        return value
    return f"case when {history.flags[values.condition]} then {value} end"


def _complete(scratch: Scratch, table: str, inputs: dict[Input, str]) -> frozenset[Input]:
    lacking = listed(["count(*)", *(f"count(*) - count({column})" for column in inputs.values())])
    missing = scratch.row(f"select {lacking} from {table}")[1:]  # noqa: S608
    whole = [each for each, number in zip(inputs, missing, strict=True) if number == 0]
    return frozenset([Input(), *whole])
