"""Frames again, from every pair of rows, for the events whose frame holds something applied after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.offline.frames import aggregate
from feature_store.offline.plan import Of
from feature_store.offline.sql import listed

if TYPE_CHECKING:
    from feature_store.offline.frames import Framed
    from feature_store.offline.plan import Frame, Raw
    from feature_store.offline.rows import Rows
    from feature_store.offline.scratch import Scratch

_BUCKETS = 8


def corrected(scratch: Scratch, frame: Frame, raws: list[Raw], rows: Rows, fast: Framed) -> str | None:
    """A table of row and the raw aggregates (under their column of ``fast``) of the late events.

    None where no event needs it.
    """
    late = fast.late[frame]
    (number,) = scratch.row(f"select count(*) from {fast.table} where {late}")  # noqa: S608
    if number == 0:
        return None
    bucket = max(frame.window // _BUCKETS, 1)
    lowest, highest = f"t - {frame.delay + frame.window - 1}", f"t - {frame.delay}"
    events = scratch.table(
        f"select row, e, t, seq, unnest(generate_series(({lowest}) // {bucket}, ({highest}) // {bucket})) "  # noqa: S608
        f"as bucket from {rows.table} semi join (select row from {fast.table} where {late}) using (row)"
    )
    known = "o.seq < events.seq" + (" or o.row = events.row" if frame.include_current else "")
    pairs = (
        f"select events.row as asking, events.seq as asking_seq, o.* from {events} as events "  # noqa: S608
        f"join (select *, t // {bucket} as bucket from {rows.table}) as o "
        f"on o.e = events.e and o.bucket = events.bucket and ({known}) "
        f"and o.t between events.t - {frame.delay + frame.window - 1} and events.t - {frame.delay}"
    )
    columns = {fast.columns[raw]: _of_pairs(raw, rows) for raw in raws}
    found = listed(f"{sql} as {column}" for column, sql in columns.items())
    filled = listed(dict.fromkeys(_empty(raw, fast.columns[raw]) for raw in raws))
    return scratch.table(
        f"select row, {filled} from (select row from {fast.table} where {late}) left join "  # noqa: S608
        f"(select asking as row, {found} from ({pairs}) group by asking) using (row)"
    )


def _empty(raw: Raw, column: str) -> str:
    if raw.of in {Of.COUNT, Of.DISTINCT, Of.LET_THROUGH}:
        return f"coalesce({column}, 0) as {column}"
    return column


def _of_pairs(raw: Raw, rows: Rows) -> str:
    if raw.of is Of.LET_THROUGH:
        return "count(case when let_through and decided_seq < asking_seq then 1 end)"
    if raw.of is Of.LAST:
        value = rows.inputs[raw.input]
        newest = f"max_by({value}, k, {raw.position}) filter (where {value} is not null)"
        return f"({newest})[{raw.position}]"
    return aggregate(raw, rows)
