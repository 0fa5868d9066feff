"""The rest of frames that were cut short: rows at or behind the first one that was applied too late.

They are few (what an event was overtaken by, and what lies beside that), so each is looked at by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from feature_store.offline.frames import aggregate
from feature_store.offline.plan import Of
from feature_store.offline.sql import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.offline.frames import Framed
    from feature_store.offline.plan import Frame, Input, Raw
    from feature_store.offline.rows import Rows
    from feature_store.offline.scratch import Scratch


@dataclass
class Tails:
    """Tables of row and the raw aggregates of tails; ``columns``: raw aggregate -> where it stands."""

    tables: list[str] = field(default_factory=list)
    columns: dict[Raw, str] = field(default_factory=dict)


def tails_of(scratch: Scratch, raws: Iterable[Raw], rows: Rows, fast: Framed) -> Tails:
    """The tails of every frame that has any; frames that end together are looked at together."""
    kinds: dict[tuple[int, bool, str], list[Raw]] = {}
    for raw in raws:
        if raw in fast.cuts:
            frame = raw.frame
            kinds.setdefault((frame.ends, frame.include_current, fast.cuts[raw]), []).append(raw)
    found = Tails()
    for (ends, _, cut), members in kinds.items():
        cut_short = f"{fast.table} where {cut} > b{ends} + 1"
        (number,) = scratch.row(f"select count(*) from {cut_short}")  # noqa: S608
        if not number:
            continue
        for alike in _by_query(members):
            pairs = _pairs(alike, cut, cut_short, rows)
            _keep(scratch, found, alike, (_new_values if _distinct(alike) else _rest)(pairs, alike, rows))
    return found


def _by_query(raws: list[Raw]) -> Iterable[list[Raw]]:
    """Plain aggregates frame by frame, distinct values input by input: as few as aggregate fast."""
    found: dict[Input | Frame, list[Raw]] = {}
    for raw in raws:
        found.setdefault(raw.input if raw.of is Of.DISTINCT else raw.frame, []).append(raw)
    return found.values()


def _distinct(raws: list[Raw]) -> bool:
    return raws[0].of is Of.DISTINCT


def _keep(scratch: Scratch, found: Tails, raws: list[Raw], query: str) -> None:
    table = scratch.table(query)
    found.tables.append(table)
    found.columns |= {raw: f"{table}.q{number}" for number, raw in enumerate(raws)}


def _pairs(raws: list[Raw], cut: str, cut_short: str, rows: Rows) -> str:
    """Each event (``asking``) with every row of its longest tail.

    ``first<length>`` is where the frame of that length begins; ``seen``: whether the row counts.
    """
    frame = max((raw.frame for raw in raws), key=lambda each: each.begins)
    last = "n" if frame.include_current else f"n - b{frame.ends} - 1"
    firsts = [f"n - b{begins} as first{begins}" for begins in {raw.frame.begins: None for raw in raws}]
    asked = (
        f"select row as asking, e, seq as asking_seq, {listed(firsts)}, "  # noqa: S608
        f"unnest(generate_series(greatest(n - {cut} + 1, n - b{frame.begins}), {last})) as n from {cut_short}"
    )
    seen = "seq < asking_seq" + (" or row = asking" if frame.include_current else "")
    return f"(select *, {seen} as seen from ({asked}) join {rows.table} using (e, n))"  # noqa: S608


def _rest(pairs: str, raws: list[Raw], rows: Rows) -> str:
    columns = listed(f"{_of_tail(raw, rows)} as q{number}" for number, raw in enumerate(raws))
    return f"select asking as row, {columns} from {pairs} where seen group by asking"  # noqa: S608


def _of_tail(raw: Raw, rows: Rows) -> str:
    if raw.of is Of.LET_THROUGH:
        return "count(case when let_through and decided_seq < asking_seq then 1 end)"
    if raw.of is Of.LAST:
        value = rows.inputs[raw.input]
        return f"max_by({value}, n, {raw.position}) filter (where {value} is not null)"
    return aggregate(raw, rows)


def _new_values(pairs: str, raws: list[Raw], rows: Rows) -> str:
    """How many values of each tail the stretch before it does not have.

    ``before`` is where a value stood last; the earliest of the tail's rows with that value says whether it
    stood within the stretch, which ends where the tail begins.
    """
    value = rows.inputs[raws[0].input]
    before = f"select row, lag(n, 1, 0) over (partition by e, {value} order by n) as before from {rows.table}"  # noqa: S608
    news, counts = [], []
    for number, raw in enumerate(raws):
        first = f"first{raw.frame.begins}"
        earliest = f"min(before) filter (where n >= {first})"
        news.append(f"bool_or(seen and n >= {first}) and {earliest} < any_value({first}) as new{number}")
        counts.append(f"count(*) filter (where new{number}) as q{number}")
    return (
        f"select asking as row, {listed(counts)} from (select asking, {listed(news)} from {pairs} "  # noqa: S608
        f"join ({before}) using (row) where {value} is not null group by asking, {value}) group by asking"
    )
