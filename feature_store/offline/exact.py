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
"""Into how many stretches of time a frame is cut to find the rows in it."""


def corrected(
    scratch: Scratch, frame: Frame, raws: list[Raw], flag: str, rows: Rows, fast: Framed
) -> str | None:
    """A table of row and the raw aggregates (under their column of ``fast``) of the events with the flag.

    None where there is no such event.
    """
    late = f"(select row from {fast.table} where {flag})"  # noqa: S608
    (number,) = scratch.row(f"select count(*) from {late}")  # noqa: S608
    if number == 0:
        return None
    columns = {fast.columns[raw]: _of_pairs(raw, rows) for raw in raws}
    found = listed(f"{sql} as {column}" for column, sql in columns.items())
    filled = listed(dict.fromkeys(_filled(raw, fast.columns[raw]) for raw in raws))
    return scratch.table(
        f"select row, {filled} from {late} left join (select asking as row, {found} "  # noqa: S608
        f"from {_pairs(frame, late, rows)} group by asking) using (row)"
    )


def _pairs(frame: Frame, late: str, rows: Rows) -> str:
    """Every late event (``asking``) with each row that it sees."""
    bucket = max((frame.begins - frame.ends) // _BUCKETS, 1)
    oldest, newest = f"t - {frame.begins - 1}", f"t - {frame.ends}"
    spread = f"unnest(generate_series(({oldest}) // {bucket}, ({newest}) // {bucket})) as bucket"
    seen = "o.seq < late.seq" + (" or o.row = late.row" if frame.include_current else "")
    return (
        "(select late.row as asking, late.seq as asking_seq, o.* from "  # noqa: S608
        f"(select row, e, t, seq, {spread} from {rows.table} semi join {late} using (row)) as late "
        f"join (select *, t // {bucket} as bucket from {rows.table}) as o "
        f"on o.e = late.e and o.bucket = late.bucket and ({seen}) "
        f"and o.t between late.t - {frame.begins - 1} and late.t - {frame.ends})"
    )


def _of_pairs(raw: Raw, rows: Rows) -> str:
    if raw.of is Of.LET_THROUGH:
        return "count(case when let_through and decided_seq < asking_seq then 1 end)"
    if raw.of is Of.LAST:
        value = rows.inputs[raw.input]
        newest = f"max_by({value}, n, {raw.position}) filter (where {value} is not null)"
        return f"({newest})[{raw.position}]"
    return aggregate(raw, rows)


def _filled(raw: Raw, column: str) -> str:
    """What an event that sees nothing has."""
    if raw.of in {Of.COUNT, Of.DISTINCT, Of.LET_THROUGH}:
        return f"coalesce({column}, 0) as {column}"
    return column
