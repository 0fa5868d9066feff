"""A feature as an expression over its raw aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.declaration.aggregates import Aggregate
from feature_store.declaration.event import FieldType, Kind
from feature_store.offline.plan import frame_of, parts
from feature_store.offline.sql import as_double, representable, scaled

if TYPE_CHECKING:
    from feature_store.declaration.aggregates import WindowFeature
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.offline.plan import Group

_COUNTED = FieldType(kind=Kind.INTEGER)


def value_of(pipeline: Pipeline, group: Group, feature: WindowFeature) -> str:
    """The feature's SQL over the columns of its group (and ``t``), as the scorer would log it."""
    value = _over(pipeline, group, feature, feature.window)
    if feature.over:
        value = f"({value}) / nullif({_over(pipeline, group, feature, feature.over)}, 0)"
    if feature.empty is not None:
        value = f"coalesce({value}, {feature.empty!r}::DOUBLE)"
    return representable(f"({value})")


def _over(pipeline: Pipeline, group: Group, feature: WindowFeature, window: int) -> str:
    columns = [group.raws[raw] for raw in parts(feature, frame_of(feature, window))]
    kind = pipeline.event.fields[feature.column].type if feature.column else _COUNTED
    first = columns[0]
    aggregate = feature.aggregate
    if aggregate is Aggregate.SINCE_LAST:
        return f"(t - {first})::DOUBLE / 1e6"
    if aggregate in {Aggregate.RATE, Aggregate.FRAUD_RATE}:
        return f"{first}::DOUBLE / nullif({columns[1]}, 0)"
    if aggregate in {Aggregate.COUNT, Aggregate.DISTINCT, Aggregate.FRAUDS}:
        return f"{first}::DOUBLE"
    if aggregate is Aggregate.STD:
        return scaled(first, kind)
    number = f"{first}::DOUBLE" if kind.kind is Kind.FLOAT or not _sums(aggregate) else as_double(first)
    if aggregate is Aggregate.MEAN:
        return f"{number} / (nullif({columns[1]}, 0)::DOUBLE * {10**kind.scale}::DOUBLE)"
    if aggregate is Aggregate.SUM:
        return f"coalesce({scaled(number, kind)}, 0)"
    return scaled(number, kind)


def _sums(aggregate: Aggregate) -> bool:
    return aggregate in {Aggregate.SUM, Aggregate.MEAN}
