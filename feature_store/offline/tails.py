"""The rest of frames that were cut short: rows at or behind the first one that was applied too late.

They are few (what an event was overtaken by, and what lies beside that), so each is looked at by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from feature_store.offline.frames import aggregate
from feature_store.offline.plan import Of, Raw
from feature_store.offline.sql import listed

if TYPE_CHECKING:
    from feature_store.offline.frames import Framed
    from feature_store.offline.plan import Frame
    from feature_store.offline.rows import Rows
    from feature_store.offline.scratch import Scratch


@dataclass
class Tails:
    """Tables of row and the raw aggregates of tails; ``columns``: raw aggregate -> where it stands."""

    tables: list[str] = field(default_factory=list)
    columns: dict[Raw, str] = field(default_factory=dict)


def tails_of(scratch: Scratch, frames: dict[Frame, dict[Raw, str]], rows: Rows, fast: Framed) -> Tails:
    """The tails of every frame that has any."""
    found = Tails()
    for frame, raws in frames.items():
        for cut in dict.fromkeys(fast.cuts[raw] for raw in raws if raw in fast.cuts):
            missing = f"{fast.table} where {cut} > b{frame.ends} + 1"
            (number,) = scratch.row(f"select count(*) from {missing}")  # noqa: S608
            if number:
                pairs = _pairs(frame, cut, missing, rows)
                _add(scratch, found, [raw for raw in raws if fast.cuts[raw] == cut], pairs, rows)
    return found


def _add(scratch: Scratch, found: Tails, raws: list[Raw], pairs: str, rows: Rows) -> None:
    plain = {raw: f"q{number}" for number, raw in enumerate(raws) if raw.of is not Of.DISTINCT}
    if plain:
        columns = listed(f"{_of_tail(raw, rows)} as {column}" for raw, column in plain.items())
        seen = f"select asking as row, {columns} from {pairs} where seen group by asking"  # noqa: S608
        _keep(scratch, found, plain, seen)
    for raw in raws:
        if raw.of is Of.DISTINCT:
            _keep(scratch, found, {raw: "q0"}, _new_values(pairs, rows.inputs[raw.input], rows))


def _keep(scratch: Scratch, found: Tails, columns: dict[Raw, str], query: str) -> None:
    table = scratch.table(query)
    found.tables.append(table)
    found.columns |= {raw: f"{table}.{column}" for raw, column in columns.items()}


def _pairs(frame: Frame, cut: str, missing: str, rows: Rows) -> str:
    """Each event (``asking``) with every row of its tail; ``seen``: whether it counts for the event."""
    last = "n" if frame.include_current else f"n - b{frame.ends} - 1"
    asked = (
        f"select row as asking, e, seq as asking_seq, n - b{frame.begins} as first, "  # noqa: S608
        f"unnest(generate_series(greatest(n - {cut} + 1, n - b{frame.begins}), {last})) as n from {missing}"
    )
    seen = "seq < asking_seq" + (" or row = asking" if frame.include_current else "")
    return f"(select *, {seen} as seen from ({asked}) join {rows.table} using (e, n))"  # noqa: S608


def _of_tail(raw: Raw, rows: Rows) -> str:
    if raw.of is Of.LET_THROUGH:
        return "count(case when let_through and decided_seq < asking_seq then 1 end)"
    if raw.of is Of.LAST:
        value = rows.inputs[raw.input]
        return f"max_by({value}, n, {raw.position}) filter (where {value} is not null)"
    return aggregate(raw, rows)


def _new_values(pairs: str, value: str, rows: Rows) -> str:
    """How many values of a tail the stretch before it does not have.

    ``before`` is where a value stood last; the earliest of the tail's rows with that value says whether it
    stood within the stretch, which ends where the tail begins.
    """
    before = f"select row, lag(n, 1, 0) over (partition by e, {value} order by n) as before from {rows.table}"  # noqa: S608
    return (
        "select asking as row, count(*) as q0 from "  # noqa: S608
        f"(select asking, first, {value} from {pairs} join ({before}) using (row) where {value} is not null "
        f"group by asking, first, {value} having bool_or(seen) and min(before) < first) group by asking"
    )
