"""Known fraud: outcome deltas inside an event's frame that were applied before the event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.duck import quoted
from feature_store.errors import ContractError
from feature_store.offline.plan import Of
from feature_store.offline.sql import field, listed, sql_type

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.offline.plan import Frame, Group, Raw
    from feature_store.offline.rows import Rows
    from feature_store.offline.scratch import Scratch

_BUCKETS = 8
_OWN = ("seq", "source_partition", "event_time", "fraud", "let_through")


def deltas_of(scratch: Scratch, pipeline: Pipeline, group: Group, rows: Rows, deltas: str) -> str:
    """The group's deltas: e, t (us), seq, fraud, let_through, and route_seq where the group says by it what
    was known. Raises ContractError for a missing column.
    """
    columns = scratch.connection.sql(f"select * from {quoted(deltas)} limit 0").columns  # noqa: S608
    order = ["seq", "route_seq"] if group.known is not None else ["seq"]
    needed = [*_OWN, *order[1:], *(f"entity_{name}" for name in group.entity)]
    if missing := [name for name in needed if name not in columns]:
        raise ContractError(f"{deltas}: lacks the columns {', '.join(missing)}")
    types = pipeline.event.fields
    parts = [
        f"cast({quoted(f'entity_{name}')} as {sql_type(types[name].type)}) as {field(name)}"
        for name in group.entity
    ]
    by = [field(name) for name in group.entity] + (["source_partition"] if group.per_partition else [])
    return scratch.table(
        f"select e, t, {listed(order)}, fraud, let_through from "  # noqa: S608  (quoted names)
        f"(select epoch_us(cast(event_time as TIMESTAMP)) as t, {listed(order)}, "
        f"cast(fraud as BIGINT) as fraud, "
        f"let_through, source_partition, {listed(parts)} from {quoted(deltas)}) "
        f"join {rows.entities} using ({listed(by)})"
    )


def known_frauds(
    scratch: Scratch, group: Group, frame: Frame, raws: dict[Raw, str], rows: Rows, deltas: str
) -> str:
    """A table of row and the sums, for the events that have any delta in their frame."""
    known = "d.seq < o.seq"
    if group.known is not None:
        known = "if(o.known is null, d.seq < o.own_seq, d.route_seq <= o.known)"
    bucket = max((frame.begins - frame.ends) // _BUCKETS, 1)
    first, last = f"t + {frame.ends}", f"t + {frame.begins - 1}"
    spread = (
        f"select *, unnest(generate_series(({first}) // {bucket}, ({last}) // {bucket})) as bucket "  # noqa: S608
        f"from {deltas}"
    )
    sums = listed(
        f"sum(d.fraud) {'filter (where d.let_through) ' * (raw.of is Of.LET_THROUGH_FRAUDS)}as {column}"
        for raw, column in raws.items()
    )
    return scratch.table(
        f"select o.row, {sums} from {rows.table} as o join ({spread}) as d "  # noqa: S608
        f"on o.e = d.e and o.t // {bucket} = d.bucket and {known} "
        f"and o.t between d.t + {frame.ends} and d.t + {frame.begins - 1} group by o.row"
    )
