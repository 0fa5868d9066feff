"""Every feature in words: what a person reads before trusting a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from feature_store.declaration.aggregates import Aggregate, WindowFeature
from feature_store.units import format_duration

if TYPE_CHECKING:
    from feature_store.declaration.features import Dtype
    from feature_store.declaration.pipeline import Pipeline

FeatureKind = Literal["row", "category", "window", "outcomes"]
State = Literal["none", "per partition", "over all partitions"]

_UNITS = {"d": "day", "h": "hour", "m": "minute", "s": "second", "ms": "millisecond"}
_MEASURES = {
    Aggregate.COUNT: "number of {events}",
    Aggregate.SUM: "sum of {column} over the {events}",
    Aggregate.MEAN: "mean of {column} over the {events}",
    Aggregate.MIN: "least {column} among the {events}",
    Aggregate.MAX: "greatest {column} among the {events}",
    Aggregate.STD: "sample standard deviation of {column} over the {events}",
    Aggregate.DISTINCT: "number of different values of {column} among the {events}",
    Aggregate.LAST: "{column} among the {events}",
    Aggregate.SINCE_LAST: "seconds since the newest of the {events}",
    Aggregate.FRAUDS: "number known to be fraud by then among the {events}",
    Aggregate.FRAUD_RATE: "share of fraud known by then among the {events} that were let through",
}
_MOST_VALUES = 8
_TEENS = range(11, 14)


@dataclass(frozen=True)
class Explained:
    """One feature of the vector, for people.

    ``entity`` is empty for what comes from the event alone; ``state`` says what a scorer keeps for it.
    """

    name: str
    kind: FeatureKind
    hash: str
    dtype: Dtype
    entity: tuple[str, ...]
    state: State
    words: str


def explained(pipeline: Pipeline) -> tuple[Explained, ...]:
    """Every feature of the vector, in its order."""
    spec = pipeline.features
    told: list[tuple[FeatureKind, tuple[str, ...], State, str]] = [
        ("row", (), "none", row_words(sql)) for sql in spec.rows.values()
    ]
    told += [
        ("category", (), "none", category_words(field, values)) for field, values in spec.categories.items()
    ]
    for feature in spec.window_features():
        kind: FeatureKind = "outcomes" if feature.aggregate.of_outcomes else "window"
        state: State = "per partition" if pipeline.follows_key(feature) else "over all partitions"
        optional = [name for name in feature.entity if not pipeline.event.fields[name].required]
        told.append((kind, feature.entity, state, window_words(feature) + _unknown(optional)))
    return tuple(
        Explained(feature.name, kind, feature.hash, feature.dtype, entity, state, words)
        for feature, (kind, entity, state, words) in zip(pipeline.feature_vector, told, strict=True)
    )


def row_words(sql: str) -> str:
    """What a row expression gives."""
    return f"of the event itself: {' '.join(sql.split())}"


def category_words(field: str, values: tuple[str, ...]) -> str:
    """What the number of a category means."""
    shown = ", ".join(f"{value} {number}" for number, value in enumerate(values[:_MOST_VALUES]))
    more = len(values) - _MOST_VALUES
    further = f" and {more} more" if more > 0 else ""
    return f"number of the event's {field} in the declared list: {shown}{further}; null for any other value"


def window_words(feature: WindowFeature) -> str:
    """What a windowed feature counts, over which events, and what it is where there are none."""
    return window_meaning(feature) + _nothing(feature)


def window_meaning(feature: WindowFeature) -> str:
    """What a windowed feature counts, and over which events."""
    told = f"{_measure(feature)} {_span(feature, feature.window)}"
    if feature.over:
        told += f", divided by the same {_span(feature, feature.over)}"
    return told


def entity_words(entity: tuple[str, ...]) -> str:
    """Whose events they are: ``this customer and card``."""
    return f"this {' and '.join(part.removesuffix('_id').replace('_', ' ') for part in entity)}"


def duration_words(microseconds: int) -> str:
    """``7 days``, ``24 hours``, ``1 hour``."""
    count, unit = _parts(microseconds)
    return f"{count} {unit if count == 1 else unit + 's'}"


def _measure(feature: WindowFeature) -> str:
    whose = f"events of {entity_words(feature.entity)}"
    where = f" where {_condition(feature)}" if feature.condition is not None else ""
    if feature.aggregate is Aggregate.RATE:
        return f"share of those{where} among the {whose}"
    told = _MEASURES[feature.aggregate].format(events=f"{whose}{where}", column=feature.column)
    return f"{_nth(feature.position)} {told}" if feature.position else told


def _condition(feature: WindowFeature) -> str:
    return " ".join(feature.condition.sql.split()) if feature.condition is not None else "true"


def _span(feature: WindowFeature, window: int) -> str:
    if feature.delay:
        (far, far_unit), (near, near_unit) = _parts(feature.delay + window), _parts(feature.delay)
        unit = "" if far_unit == near_unit else f" {far_unit if far == 1 else far_unit + 's'}"
        return f"from {far}{unit} to {near} {near_unit if near == 1 else near_unit + 's'} before this event"
    if feature.include_current:
        return f"in the {duration_words(window)} up to this event, itself included"
    return f"in the {duration_words(window)} before this event"


def _parts(microseconds: int) -> tuple[int, str]:
    text = format_duration(microseconds)
    digits = text.rstrip("dhms")
    return int(digits), _UNITS[text[len(digits) :]]


def _nth(position: int) -> str:
    if position == 1:
        return "newest"
    ending = "th" if position % 100 in _TEENS else {1: "st", 2: "nd", 3: "rd"}.get(position % 10, "th")
    return f"{position}{ending} newest"


def _nothing(feature: WindowFeature) -> str:
    instead = "null" if feature.empty is None else f"{feature.empty:g}"
    if feature.over:
        return f"; {instead} where there is nothing to divide, or to divide by"
    if feature.aggregate.never_null:
        return ""
    if feature.aggregate is Aggregate.STD:
        return f"; {instead} where there are fewer than two"
    if feature.aggregate is Aggregate.LAST and feature.position > 1:
        return f"; {instead} where there are fewer"
    return f"; {instead} where there is none"


def _unknown(optional: list[str]) -> str:
    return f"; null where the event has no {' or no '.join(optional)}" if optional else ""
