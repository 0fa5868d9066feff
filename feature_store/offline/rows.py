"""The events of one entity group, keyed so that a frame sees exactly what lies before it.

``e`` numbers the entities; ``k`` orders the rows of one entity by event time, then applied order, each row
by itself: ``(t - first) * ties + tie``. So a range of time is a range of k, and an event with the same time
but applied later is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.offline.plan import Input
from feature_store.offline.sql import exact_value, field, listed

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.offline.history import History
    from feature_store.offline.plan import Frame, Group
    from feature_store.offline.scratch import Scratch

_SAFE = 2**62
_CARRIED = "row, e, t, seq, decided_seq, let_through"


@dataclass(frozen=True)
class Rows:
    """``entities``: e and the entity's columns. ``table``: row, e, t, seq, decided_seq, let_through, k, tie
    and the inputs.
    """

    entities: str
    table: str
    ties: int
    """How many rows of one entity have one time, at most."""
    inputs: dict[Input, str]
    complete: frozenset[Input]
    """Inputs without a null: counting them is counting rows."""

    def lowest(self, frame: Frame) -> str:
        """How far below an event's own k its frame begins, inclusive."""
        return f"{(frame.delay + frame.window - 1) * self.ties} + tie"

    def highest(self, frame: Frame) -> str:
        """How far below an event's own k its frame ends, inclusive."""
        if frame.delay:
            return f"{(frame.delay - 1) * self.ties + 1} + tie"
        return "0" if frame.include_current else "1"


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
    place = "over (partition by e order by t, seq)"
    ordered = scratch.table(
        f"select {_CARRIED}, row_number() {place} as n, "  # noqa: S608  (quoted names)
        f"coalesce(t = lag(t) {place}, false) as same, {listed([*values, '0 as unused'])} from {source}"
    )
    keyed, ties = _keyed(scratch, group, ordered, listed(inputs.values()))
    scratch.drop(ordered)
    return Rows(entities, keyed, ties, inputs, _complete(scratch, keyed, inputs))


def _keyed(scratch: Scratch, group: Group, ordered: str, values: str) -> tuple[str, int]:
    tied, span, first = scratch.row(
        f"select coalesce(bool_or(same), false), max(t) - min(t), min(t) from {ordered}"  # noqa: S608
    )
    ties = 1
    if tied:
        tie = "n - max(case when not same then n end) over (partition by e order by n)"
        ordered = scratch.table(f"select *, {tie} as tie from {ordered}")  # noqa: S608
        (ties,) = scratch.row(f"select max(tie) + 1 from {ordered}")  # noqa: S608
    reach = max(feature.reach for feature in group.features)
    kind = "BIGINT" if ((span or 0) + reach + 1) * ties < _SAFE else "HUGEINT"
    tie = "tie" if tied else "0"
    keyed = scratch.table(
        f"select {_CARRIED}, (t - {first or 0})::{kind} * {ties} + {tie} as k, "  # noqa: S608
        f"{tie} as tie{', ' * bool(values)}{values} from {ordered}"
    )
    if tied:
        scratch.drop(ordered)
    return keyed, ties


def _value(pipeline: Pipeline, history: History, values: Input) -> str:
    if values.column is None:
        return f"case when {history.flags[values.condition or '']} then true end"
    value = exact_value(pipeline.event.fields[values.column].type, values.column)
    if values.condition is None:
        return value
    return f"case when {history.flags[values.condition]} then {value} end"


def _complete(scratch: Scratch, table: str, inputs: dict[Input, str]) -> frozenset[Input]:
    lacking = listed(["0", *(f"count(*) - count({column})" for column in inputs.values())])
    counts = scratch.row(f"select {lacking} from {table}")[1:]  # noqa: S608
    whole = [each for each, missing in zip(inputs, counts, strict=True) if missing == 0]
    return frozenset([Input(), *whole])
