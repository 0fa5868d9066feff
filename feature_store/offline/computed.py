"""All features of one entity: frames, what was late, known frauds, and the values made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.duck import quoted
from feature_store.offline.combined import combined
from feature_store.offline.frames import framed
from feature_store.offline.outcomes import deltas_of, known_frauds
from feature_store.offline.rows import rows_of
from feature_store.offline.scratch import Scratch
from feature_store.offline.sql import listed
from feature_store.offline.tails import tails_of
from feature_store.offline.values import value_of

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.offline.history import History
    from feature_store.offline.plan import Group
    from feature_store.offline.rows import Rows


def computed(scratch: Scratch, pipeline: Pipeline, group: Group, history: History, deltas: str | None) -> str:
    """A table of row and the group's features, for the events that have the entity."""
    with Scratch(scratch.connection) as work:
        rows = rows_of(work, pipeline, group, history)
        events, columns = _events(work, group, rows)
        outcomes, sums = _outcomes(work, pipeline, group, rows, deltas)
        raws = [f"{sql} as {column}" for column, sql in (columns | sums).items()]
        features = [f"{value_of(pipeline, group, each)} as {quoted(each.name)}" for each in group.features]
        return scratch.table(
            f"select row, {listed(features)} from (select o.row, o.t, {listed(raws)} "  # noqa: S608
            f"from {rows.table} as o {events} {outcomes})"
        )


def _events(scratch: Scratch, group: Group, rows: Rows) -> tuple[str, dict[str, str]]:
    """How the raw aggregates over events are joined to the rows, and the SQL of each."""
    frames = group.frames(of_deltas=False)
    if not frames:
        return "", {}
    fast = framed(scratch, group, rows)
    tails = tails_of(scratch, fast.columns, rows, fast)
    joins = [f"join {fast.table} as f using (row)"]
    joins += [f"left join {table} on {table}.row = o.row" for table in tails.tables]
    stretch = {raw: f"f.{column}" for raw, column in fast.columns.items()}
    wanted = {raw: column for raw, column in group.raws.items() if raw in stretch}
    return " ".join(joins), {column: combined(raw, stretch, tails.columns) for raw, column in wanted.items()}


def _outcomes(
    scratch: Scratch, pipeline: Pipeline, group: Group, rows: Rows, deltas: str | None
) -> tuple[str, dict[str, str]]:
    """The same for the raw aggregates over deltas."""
    frames = group.frames(of_deltas=True)
    if not frames:
        return "", {}
    if deltas is None:
        return "", {column: "0" for raws in frames.values() for column in raws.values()}
    known = deltas_of(scratch, pipeline, group, rows, deltas)
    joins: list[str] = []
    columns: dict[str, str] = {}
    for number, (frame, raws) in enumerate(frames.items()):
        sums = known_frauds(scratch, group, frame, raws, rows, known)
        joins.append(f"left join {sums} as d{number} on d{number}.row = o.row")
        columns |= {column: f"coalesce(d{number}.{column}, 0)" for column in raws.values()}
    return " ".join(joins), columns
