"""Window frames: every raw aggregate over events, for a history in which nothing came late.

First every event learns how many of those before it lie within each length of time: one search per length.
Then each frame is a stretch of so many rows, which costs a quarter of a search for every aggregate, and all
of a group share one sort. Whether something in the stretch was applied after the event, or not before, is
said beside it; ``exact`` then computes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.offline.plan import Of
from feature_store.offline.sql import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.offline.plan import Group, Raw
    from feature_store.offline.rows import Rows
    from feature_store.offline.scratch import Scratch


@dataclass(frozen=True)
class Framed:
    """``table``: row, the raw aggregates, the flags.

    ``columns``: raw aggregate -> its column. ``late``: raw aggregate -> the flag that it does not hold.
    """

    table: str
    columns: dict[Raw, str]
    late: dict[Raw, str]


def framed(scratch: Scratch, group: Group, rows: Rows) -> Framed:
    """Every raw aggregate of the group's events."""
    raws = [raw for each in group.frames(of_deltas=False).values() for raw in each]
    (steps,) = scratch.row(f"select coalesce(bool_or(decided_seq <> seq), false) from {rows.table}")  # noqa: S608
    found: dict[str, str] = {}
    columns = {raw: found.setdefault(_over(raw, rows, steps=steps), f"w{len(found)}") for raw in raws}
    late = {raw: found.setdefault(_late(raw, steps=steps), f"w{len(found)}") for raw in raws}
    selected = ["row", *(f"{sql} as {column}" for sql, column in found.items())]
    placed = _placed(rows, {each for raw in raws for each in (raw.frame.begins, raw.frame.ends)})
    if steps and any(raw.of is Of.LET_THROUGH for raw in raws):
        placed = _opened(placed)
    return Framed(scratch.table(f"select {listed(selected)} from {placed}"), columns, late)  # noqa: S608


def aggregate(raw: Raw, rows: Rows) -> str:
    """The SQL aggregate, for a window or a group; not for LAST."""
    value = rows.inputs.get(raw.input, "*")
    if raw.of is Of.COUNT:
        return "count(*)" if raw.input in rows.complete else f"count({value})"
    if raw.of is Of.STD:
        return f"stddev_samp(cast({value} as DOUBLE))"
    if raw.of is Of.DISTINCT:
        return f"count(distinct {value})"
    if raw.of is Of.NEWEST:
        return "max(t)" if raw.input in rows.complete else f"max(case when {value} then t end)"
    if raw.of is Of.LET_THROUGH:
        return "count(case when let_through then 1 end)"
    return f"{raw.of.value}({value})"


def _placed(rows: Rows, lengths: Iterable[int]) -> str:
    """The rows, with ``b<length>``: how many rows before the event are younger than ``t - length``."""
    younger = "over (partition by e order by t range between {} preceding and unbounded following)"
    counts = [f"count(*) {younger.format(each - 1)} as y{each}" for each in sorted(lengths) if each]
    older = [f"n - 1 - (total - y{each}) as b{each}" for each in sorted(lengths) if each]
    total = "count(*) over (partition by e) as total"
    return (
        f"(select *, 0 as b0, {listed(older)} from "  # noqa: S608
        f"(select *, {listed([total, *counts])} from {rows.table}))"
    )


def _opened(placed: str) -> str:
    """The same with ``undecided``: how many rows before the event were decided too late to be known.

    It holds where what was known is a stretch from the first row on; ``disordered`` where it is not.
    """
    known = "over (partition by e order by decided_seq range between unbounded preceding "
    known += "and decided_seq - seq + 1 preceding)"
    return (
        "(select *, n - 1 - known as undecided, known <> newest_known as disordered from "  # noqa: S608
        f"(select *, count(*) {known} as known, coalesce(max(n) {known}, 0) as newest_known from {placed}))"
    )


def _over(raw: Raw, rows: Rows, *, steps: bool) -> str:
    frame = raw.frame
    last = "0" if frame.include_current else f"b{frame.ends} + 1"
    if raw.of is Of.LET_THROUGH and steps:
        last = f"greatest(b{frame.ends}, undecided) + 1"
    return f"{_windowed(raw, rows)} over {_stretch(f'b{frame.begins}', last)}"


def _windowed(raw: Raw, rows: Rows) -> str:
    if raw.of is not Of.LAST:
        return aggregate(raw, rows)
    value = rows.inputs[raw.input]
    if raw.position == 1:
        return f"last_value({value} ignore nulls)"
    return f"nth_value({value}, {raw.position} order by n desc ignore nulls)"


def _stretch(first: str, last: str) -> str:
    return f"(partition by e order by n rows between {first} preceding and {last} preceding)"


def _late(raw: Raw, *, steps: bool) -> str:
    if raw.of is Of.LET_THROUGH and steps:
        return "disordered"
    return f"coalesce(max(seq) over {_stretch('unbounded', f'b{raw.frame.ends} + 1')} > seq, false)"
