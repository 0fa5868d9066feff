"""Window frames: every raw aggregate over events, up to the first row that was applied after the event.

First every event learns how many of those before it lie within each length of time: one search per length.
Then each frame is a stretch of so many rows, which costs a quarter of a search for every aggregate, and all
of a group share one sort. In a history in which nothing came late the stretch is the whole frame; where it
had to be cut short, ``tails`` adds the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.offline.plan import Of
from feature_store.offline.sql import listed

if TYPE_CHECKING:
    from feature_store.offline.plan import Group, Raw
    from feature_store.offline.rows import Rows
    from feature_store.offline.scratch import Scratch


@dataclass(frozen=True)
class Framed:
    """``table``: row, e, n, seq, ``b<length>``, the cuts and the raw aggregates of the stretches.

    ``cuts``: raw aggregate -> the column that says how many rows before the event its stretch must end, 0
    where nothing is missing behind it. Empty where no event's stretch is cut.
    """

    table: str
    columns: dict[Raw, str]
    cuts: dict[Raw, str]


def framed(scratch: Scratch, group: Group, rows: Rows) -> Framed:
    """Every raw aggregate of the group's events."""
    raws = [raw for each in group.frames(of_deltas=False).values() for raw in each]
    if rows.overtaken is None:
        raws = [raw for raw in raws if raw.of is not Of.AVERAGE]
    (steps,) = scratch.row(f"select coalesce(bool_or(decided_seq <> seq), false) from {rows.table}")  # noqa: S608
    cuts = dict.fromkeys(raws, "cut") if rows.overtaken else {}
    if steps:
        cuts |= {raw: "disordered" for raw in raws if raw.of is Of.LET_THROUGH}
    found: dict[str, str] = {}
    columns = {raw: found.setdefault(_over(raw, rows, cuts.get(raw)), f"w{len(found)}") for raw in raws}
    lengths = sorted({each for raw in raws for each in (raw.frame.begins, raw.frame.ends)} - {0})
    carried = ["row"]
    if cuts:
        carried += ["e", "n", "seq", "b0", *(f"b{each}" for each in lengths), *dict.fromkeys(cuts.values())]
    selected = listed([*carried, *(f"{sql} as {column}" for sql, column in found.items())])
    placed = _placed(rows, lengths)
    if "disordered" in cuts.values():
        placed = _decided(placed)
    return Framed(scratch.table(f"select {selected} from {placed}"), columns, cuts)  # noqa: S608


def aggregate(raw: Raw, rows: Rows) -> str:
    """The SQL aggregate, for a window or a group; not for LAST."""
    value = rows.inputs.get(raw.input, "*")
    if raw.of is Of.COUNT:
        return "count(*)" if raw.input in rows.complete else f"count({value})"
    if raw.of in {Of.STD, Of.AVERAGE}:
        return f"{'stddev_samp' if raw.of is Of.STD else 'avg'}(cast({value} as DOUBLE))"
    if raw.of is Of.DISTINCT:
        return f"count(distinct {value})"
    if raw.of is Of.NEWEST:
        return "max(t)" if raw.input in rows.complete else f"max(case when {value} then t end)"
    if raw.of is Of.LET_THROUGH:
        return "count(case when let_through then 1 end)"
    return f"{raw.of.value}({value})"


def _placed(rows: Rows, lengths: list[int]) -> str:
    """The rows, with ``b<length>``: how many rows before the event are younger than ``t - length``."""
    younger = "over (partition by e order by t range between {} preceding and unbounded following)"
    counts = [f"count(*) {younger.format(each - 1)} as y{each}" for each in lengths]
    older = [f"n - 1 - (total - y{each}) as b{each}" for each in lengths]
    source = rows.table
    if rows.overtaken:
        source = (
            f"(select * exclude (cut), coalesce(cut, 0) as cut from {source} "  # noqa: S608
            f"left join {rows.overtaken} using (row))"
        )
    return (
        f"(select *, {listed(['0 as b0', *older])} from (select *, "  # noqa: S608
        f"{listed(['count(*) over (partition by e) as total', *counts])} from {source}))"
    )


def _decided(placed: str) -> str:
    """The same with ``undecided``: how many rows before the event its let-through rows must end.

    ``settled`` rows, from the first on, were all decided early enough to be known. Where more are known than
    those, ``disordered`` is what ``undecided`` is, otherwise 0: nothing known is beyond.
    """
    top = "max(decided_seq) over (partition by e order by n rows unbounded preceding)"
    known = "count(*) over (partition by e order by {} range between unbounded preceding and {} preceding)"
    return (
        "(select *, n - settled as undecided, "  # noqa: S608
        "case when known > settled then n - settled else 0 end as disordered from (select *, "
        f"{known.format('decided_seq', 'decided_seq - seq + 1')} as known, "
        f"{known.format('decided_top', 'decided_top - seq + 1')} as settled "
        f"from (select *, {top} as decided_top from {placed})))"
    )


def _over(raw: Raw, rows: Rows, cut: str | None) -> str:
    last = "0" if raw.frame.include_current else f"b{raw.frame.ends} + 1"
    if cut is not None:
        last = f"greatest({last}, {'undecided' if cut == 'disordered' else cut})"
    first = f"b{raw.frame.begins}"
    stretch = f"(partition by e order by n rows between {first} preceding and {last} preceding)"
    return f"{_windowed(raw, rows)} over {stretch}"


def _windowed(raw: Raw, rows: Rows) -> str:
    if raw.of is not Of.LAST:
        return aggregate(raw, rows)
    value = rows.inputs[raw.input]
    if raw.position == 1:
        return f"last_value({value} ignore nulls)"
    return f"nth_value({value}, {raw.position} order by n desc ignore nulls)"
