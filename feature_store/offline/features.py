"""From stored history to feature values: the door of the offline twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.declaration.features import code_name
from feature_store.errors import ConfigError
from feature_store.offline.exact import corrected
from feature_store.offline.frames import framed
from feature_store.offline.history import take
from feature_store.offline.outcomes import deltas_of, known_frauds
from feature_store.offline.plan import Group, groups
from feature_store.offline.rows import rows_of
from feature_store.offline.scratch import Scratch
from feature_store.offline.sql import field, listed, literal, quoted, representable
from feature_store.offline.values import value_of

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from feature_store.offline.history import History
    from feature_store.offline.rows import Rows


def offline_features(
    connection: Connection,
    pipeline: Pipeline,
    *,
    events: str = "events",
    deltas: str | None = "deltas",
    only: Collection[str] | None = None,
) -> pa.Table:
    """The features of every event in a history, by applied order.

    ``events`` names a relation with every declared field (as ``feature_store.log.event_schema``) and
    ``source_partition, seq, decided_seq, let_through``; ``deltas`` one as ``delta_schema`` (None: no outcomes
    are known). ``only``: these features and no others; only their work is done.

    The columns are ``source_partition``, ``seq``, the event's id field, then the features in the order of
    the vector, float64 and null where undefined. Raises ContractError naming a column that the history
    lacks, ConfigError for an unsound expression or an unknown feature.
    """
    with Scratch(connection) as scratch:
        query = _query(scratch, pipeline, events, deltas, only)
        found: pa.Table = connection.sql(query).to_arrow_table()
        return found


def write_features(
    connection: Connection,
    pipeline: Pipeline,
    into: str,
    *,
    events: str = "events",
    deltas: str | None = "deltas",
    only: Collection[str] | None = None,
) -> None:
    """As ``offline_features``, into a new temporary table, for COPY or INSERT."""
    with Scratch(connection) as scratch:
        query = _query(scratch, pipeline, events, deltas, only)
        connection.execute(f"create temp table {quoted(into)} as {query}")


def _query(
    scratch: Scratch, pipeline: Pipeline, events: str, deltas: str | None, only: Collection[str] | None
) -> str:
    chosen = _chosen(pipeline, only)
    spec = pipeline.features
    windows = [feature for feature in spec.window_features() if feature.name in chosen]
    codes = {name: values for name, values in spec.categories.items() if code_name(name) in chosen}
    used = [feature.column for feature in windows if feature.column is not None]
    entities = [name for feature in windows for name in feature.entity]
    conditions = dict.fromkeys(feature.condition for feature in windows if feature.condition is not None)
    history = take(
        scratch,
        pipeline,
        events,
        [*codes, *used, *entities],
        {name: sql for name, sql in spec.rows.items() if name in chosen},
        conditions,
    )
    values = {name: representable(column) for name, column in history.numbers.items()}
    values |= {code_name(name): _code(name, listed_) for name, listed_ in codes.items()}
    tables = [history.values] if history.values else []
    for group in groups(windows, pipeline.event.key):
        tables.append(_computed(scratch, pipeline, group, history, deltas))
        values |= {feature.name: quoted(feature.name) for feature in group.features}
    columns = [f"{values[name]} as {quoted(name)}" for name in chosen]
    joins = " ".join(f"left join {table} using (row)" for table in tables)
    key = ["source_partition", "seq", f"{field(pipeline.event.id)} as {quoted(pipeline.event.id)}"]
    return (
        f"select {listed([*key, *columns])} from {history.rows} {joins} "  # noqa: S608  (quoted names)
        "order by source_partition, seq"
    )


def _chosen(pipeline: Pipeline, only: Collection[str] | None) -> list[str]:
    names = [feature.name for feature in pipeline.feature_vector]
    if only is None:
        return names
    if unknown := sorted(set(only) - set(names)):
        raise ConfigError(f"features: {', '.join(unknown)}: not declared")
    return [name for name in names if name in only]


def _code(name: str, values: tuple[str, ...]) -> str:
    kind = f"ENUM({listed(map(literal, values))})"
    return f"cast(enum_code(try_cast({field(name)} as {kind})) as DOUBLE)"


def _computed(
    scratch: Scratch, pipeline: Pipeline, group: Group, history: History, deltas: str | None
) -> str:
    """A table of row and the group's features, for the events that have the entity."""
    rows = rows_of(scratch, pipeline, group, history)
    source, columns = _events(scratch, group, rows)
    known, sums = _outcomes(scratch, pipeline, group, rows, deltas)
    raws = [f"{sql} as {column}" for column, sql in (columns | sums).items()]
    features = [
        f"{value_of(pipeline, group, feature)} as {quoted(feature.name)}" for feature in group.features
    ]
    found = scratch.table(
        f"select row, {listed(features)} from (select o.row, o.t, {listed(raws)} "  # noqa: S608
        f"from {rows.table} as o {source} {known})"
    )
    scratch.drop(rows.table, rows.entities)
    return found


def _events(scratch: Scratch, group: Group, rows: Rows) -> tuple[str, dict[str, str]]:
    """How the raw aggregates over events are joined to the rows, and the SQL of each."""
    frames = group.frames(of_deltas=False)
    if not frames:
        return "", {}
    fast = framed(scratch, group, rows)
    joins = [f"join {fast.table} as f using (row)"]
    columns: dict[str, str] = {}
    for number, (frame, raws) in enumerate(frames.items()):
        exact = corrected(scratch, frame, list(raws), rows, fast)
        if exact is not None:
            joins.append(f"left join {exact} as x{number} on x{number}.row = o.row")
        for raw, column in raws.items():
            quick = f"f.{fast.columns[raw]}"
            late = f"f.{fast.late[frame]}"
            columns[column] = (
                quick
                if exact is None
                else f"case when {late} then x{number}.{fast.columns[raw]} else {quick} end"
            )
    return " ".join(joins), columns


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
        sums = known_frauds(scratch, frame, raws, rows, known)
        joins.append(f"left join {sums} as d{number} on d{number}.row = o.row")
        columns |= {column: f"coalesce(d{number}.{column}, 0)" for column in raws.values()}
    return " ".join(joins), columns
