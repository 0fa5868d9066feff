"""From stored history to feature values: the door of the offline twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.declaration.features import code_name
from feature_store.duck import literal, quoted
from feature_store.errors import ConfigError
from feature_store.offline.computed import computed
from feature_store.offline.history import take
from feature_store.offline.plan import groups
from feature_store.offline.scratch import Scratch
from feature_store.offline.sql import field, listed, representable

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection


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
    are known). ``only``: these features and no others; only their work is done. In a staged pipeline features
    of earlier stages go by ``seq_0``, ``seq_1``, …, the order of their stage, where ``events`` has it; rows
    without it are past, before all others. Outcomes count there up to the ``route_seq`` in ``known_0``, ….

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
    wanted = groups(windows, pipeline)
    history = take(
        scratch,
        pipeline,
        events,
        {group.order: group.known for group in wanted},
        [*codes, *used, *entities],
        {name: sql for name, sql in spec.rows.items() if name in chosen},
        conditions,
    )
    values = {name: representable(column) for name, column in history.numbers.items()}
    values |= {code_name(name): _code(name, known) for name, known in codes.items()}
    tables = [history.values] if history.values else []
    for group in wanted:
        tables.append(computed(scratch, pipeline, group, history, deltas))
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
