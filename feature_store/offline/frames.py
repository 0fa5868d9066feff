"""Window frames: every raw aggregate over events, for a history in which nothing came late.

All frames of a group share one sort. A frame holds what lies before the event by time; whether something
in it was applied after the event is said beside it (``late``), and then ``exact`` computes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.offline.plan import Of
from feature_store.offline.sql import listed

if TYPE_CHECKING:
    from feature_store.offline.plan import Frame, Group, Raw
    from feature_store.offline.rows import Rows
    from feature_store.offline.scratch import Scratch


@dataclass(frozen=True)
class Framed:
    """``table``: row and the raw aggregates. ``late``: frame -> whether its events came in another order."""

    table: str
    columns: dict[Raw, str]
    late: dict[Frame, str]


def framed(scratch: Scratch, group: Group, rows: Rows) -> Framed:
    """Every raw aggregate of the group's events."""
    distinct: dict[str, str] = {}
    columns, late = {}, {}
    for frame, raws in group.frames(of_deltas=False).items():
        for raw in raws:
            columns[raw] = distinct.setdefault(_over(raw, rows), f"w{len(distinct)}")
        late[frame] = distinct.setdefault(_late(frame, list(raws), rows), f"w{len(distinct)}")
    selected = ["row", *(f"{sql} as {column}" for sql, column in distinct.items())]
    table = scratch.table(f"select {listed(selected)} from {rows.table}")  # noqa: S608
    return Framed(table, columns, late)


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


def _over(raw: Raw, rows: Rows) -> str:
    return f"{_windowed(raw, rows)} over {_frame(rows.lowest(raw.frame), rows.highest(raw.frame))}"


def _windowed(raw: Raw, rows: Rows) -> str:
    if raw.of is not Of.LAST:
        return aggregate(raw, rows)
    value = rows.inputs[raw.input]
    if raw.position == 1:
        return f"last_value({value} ignore nulls)"
    return f"nth_value({value}, {raw.position} order by k desc ignore nulls)"


def _frame(lowest: str, highest: str) -> str:
    return f"(partition by e order by k range between {lowest} preceding and {highest} preceding)"


def _late(frame: Frame, raws: list[Raw], rows: Rows) -> str:
    highest = rows.highest(frame) if frame.delay else "1"
    before = _frame("unbounded", highest)
    late = f"coalesce(max(seq) over {before} > seq, false)"
    if all(raw.of is not Of.LET_THROUGH for raw in raws):
        return late
    known = f"max(case when let_through then decided_seq end) over {before}"
    return f"({late} or coalesce({known} >= seq, false))"
