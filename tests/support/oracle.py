"""Every feature of an event by looking at everything that was applied before: slow, and obviously right.

Values are those of decoded events: decimals in minor units, instants in microseconds, None for null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feature_store.declaration.aggregates import Aggregate, WindowFeature
from tests.support import oracle_numbers as numbers
from tests.support.oracle_numbers import NULL, Expected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from feature_store.declaration.event import FieldType
    from feature_store.declaration.pipeline import Pipeline


@dataclass(frozen=True)
class Event:
    """An event as it was applied; its action was known to others from ``decided_seq`` on."""

    values: Mapping[str, Any]
    partition: int
    seq: int
    decided_seq: int
    let_through: bool


@dataclass(frozen=True)
class Delta:
    """What became known about an event: ``fraud`` is +1, or -1 where that was taken back."""

    entity: Mapping[str, Any]
    partition: int
    event_time: int
    seq: int
    fraud: int
    let_through: bool


@dataclass(frozen=True)
class Meaning:
    """The SQL of a pipeline, said again in Python."""

    conditions: Mapping[str, Callable[[Mapping[str, Any]], bool]]
    rows: Mapping[str, Callable[[Mapping[str, Any]], float]]


class Oracle:
    """The feature vector of any event of a history."""

    def __init__(self, pipeline: Pipeline, meaning: Meaning) -> None:
        self._time = pipeline.event.time
        self._kinds = {name: spec.type for name, spec in pipeline.event.fields.items()}
        self._features = pipeline.features
        self._meaning = meaning

    def vector(self, event: Event, history: Sequence[Event | Delta]) -> list[Expected]:
        """The row expressions, categories and windows of ``event``; what comes after it is not looked at."""
        rows = [Expected(self._meaning.rows[name](event.values)) for name in self._features.rows]
        codes = [
            Expected(float(known.index(event.values[field]))) if event.values[field] in known else NULL
            for field, known in self._features.categories.items()
        ]
        declared = self._features.window_features()
        past = {names: _past(names, event, history) for names in {feature.entity for feature in declared}}
        windows = [self._window(feature, event, past[feature.entity]) for feature in declared]
        return [*rows, *codes, *windows]

    def _window(self, feature: WindowFeature, event: Event, past: list[Event | Delta]) -> Expected:
        if None in _entity(feature.entity, event.values):
            return NULL
        of_entity = [*past, event] if feature.include_current else past
        value = (
            self._ratio(feature, event, of_entity)
            if feature.over
            else self._over(feature, feature.window, event, of_entity)
        )
        return value.or_else(feature.empty)

    def _ratio(self, feature: WindowFeature, event: Event, of_entity: list[Event | Delta]) -> Expected:
        value = self._over(feature, feature.window, event, of_entity)
        return value.over(self._over(feature, feature.over, event, of_entity))

    def _over(
        self, feature: WindowFeature, window: int, event: Event, of_entity: list[Event | Delta]
    ) -> Expected:
        until = event.values[self._time] - feature.delay
        events = [
            record
            for record in of_entity
            if isinstance(record, Event) and until - window < record.values[self._time] <= until
        ]
        if feature.aggregate.of_outcomes:
            deltas = [
                record
                for record in of_entity
                if isinstance(record, Delta) and until - window < record.event_time <= until
            ]
            return _outcomes(feature.aggregate, event, events, deltas)
        holds = self._meaning.conditions[feature.condition.name] if feature.condition else _always
        counted = [record for record in events if holds(record.values)]
        match feature.aggregate:
            case Aggregate.COUNT:
                return Expected(float(len(counted)))
            case Aggregate.RATE:
                return Expected(len(counted) / len(events)) if events else NULL
            case Aggregate.SINCE_LAST:
                newest = max((record.values[self._time] for record in counted), default=None)
                return NULL if newest is None else Expected((event.values[self._time] - newest) / 1e6)
        column = feature.column or ""
        counted.sort(key=lambda record: (record.values[self._time], record.seq))
        values = [record.values[column] for record in counted if record.values[column] is not None]
        return _of_values(feature, self._kinds[column], values)


def _of_values(feature: WindowFeature, kind: FieldType, values: list[Any]) -> Expected:
    """An aggregate of the values of one column that are there, oldest first."""
    match feature.aggregate:
        case Aggregate.SUM:
            return numbers.total(kind, values)
        case Aggregate.MEAN:
            return numbers.mean(kind, values)
        case Aggregate.STD:
            return numbers.deviation(kind, values)
        case Aggregate.MIN:
            return numbers.one(kind, min(values)) if values else NULL
        case Aggregate.MAX:
            return numbers.one(kind, max(values)) if values else NULL
        case Aggregate.DISTINCT:
            return Expected(float(len(set(values))))
        case Aggregate.LAST:
            return numbers.one(kind, values[-feature.position]) if len(values) >= feature.position else NULL
    raise NotImplementedError(feature.aggregate)


def _outcomes(aggregate: Aggregate, event: Event, events: list[Event], deltas: list[Delta]) -> Expected:
    if aggregate is Aggregate.FRAUDS:
        return Expected(float(sum(delta.fraud for delta in deltas)))
    let_through = [each for each in events if each.let_through and each.decided_seq < event.seq]
    known = sum(delta.fraud for delta in deltas if delta.let_through)
    return Expected(known / len(let_through)) if let_through else NULL


def _past(names: tuple[str, ...], event: Event, history: Sequence[Event | Delta]) -> list[Event | Delta]:
    """What was applied before the event and happened to its entity."""
    entity = _entity(names, event.values)
    return [
        record
        for record in history
        if record.seq < event.seq
        and _entity(names, record.values if isinstance(record, Event) else record.entity) == entity
    ]


def _entity(names: tuple[str, ...], values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(values[name] for name in names)


def _always(values: Mapping[str, Any]) -> bool:
    return True
