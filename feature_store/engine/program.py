"""From declared features to what the kernels compute: one plan per series."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from feature_store.declaration.aggregates import Aggregate, Condition, WindowFeature
from feature_store.declaration.event import Kind
from feature_store.engine.layout import (
    ACCUMULATOR_WORDS,
    AVERAGE,
    COUNT,
    DEVIATION,
    DIFFERENT,
    FLOAT_SQUARES,
    FLOAT_SUM,
    GREATEST,
    HINTS,
    LATEST,
    LEAST,
    NTH,
    ROWS,
    SHARE,
    SINCE,
    SUM,
    TIME,
    TOTAL,
    WIDE_SQUARES,
    WIDE_SUM,
    Ints,
    Plan,
)

if TYPE_CHECKING:
    from feature_store.declaration.event import EventSpec

Item = TypeVar("Item")

FORMAT = 2
"""Of the arrays; to be raised when they change their meaning."""

_NARROW_DIGITS = 12  # of a decimal whose sum over nine million rows still fits into 64 bits
FRAUD, FRAUD_LET_THROUGH, LET_THROUGH = range(3)
"""The input columns of a truth series."""


@dataclass(frozen=True)
class InputColumn:
    """An input of a kernel: a field, or 1; null where the condition does not hold."""

    name: str | None
    condition: Condition | None


@dataclass
class Program:
    """One series: its plan, and what the plan's numbers stand for."""

    plan: Plan
    inputs: list[InputColumn]
    distincts: list[InputColumn]
    row_words: int
    entity_words: int
    row_reach: int
    """Rows are needed for so long (us); the newest of an entity, for ``reach``."""
    reach: int
    layout: str


@dataclass
class _Builder:
    event: EventSpec
    outputs: dict[WindowFeature, int]
    offsets: list[int] = field(default_factory=lambda: [0])
    inputs: list[InputColumn] = field(default_factory=list)
    accumulators: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    kept: dict[int, int] = field(default_factory=dict)
    trees: list[tuple[int, int]] = field(default_factory=list)
    distincts: list[InputColumn] = field(default_factory=list)
    cursors: list[tuple[int, int, int, int]] = field(default_factory=list)
    words: int = TIME + 1

    def boundary(self, offset: int) -> int:
        return _number(self.offsets, offset)

    def accumulator(self, kind: int, column: int, auxiliary: int = 0) -> int:
        known = self.accumulators.get((kind, column))
        if known is None:
            known = self.accumulators[kind, column] = [kind, column, self.words, auxiliary]
            self.words += ACCUMULATOR_WORDS[kind]
        return known[2]

    def value(self, column: int) -> int:
        if column not in self.kept:
            self.kept[column] = self.words
            self.words += 1
        return self.kept[column]


def base_feature(feature: WindowFeature) -> WindowFeature:
    """The feature without what is done after the kernels: its ``empty`` value, and a ratio's other window."""
    return replace(feature, empty=None, over=0)


def denominator(feature: WindowFeature) -> WindowFeature:
    """The feature that a ratio divides by."""
    return replace(feature, empty=None, over=0, window=feature.over)


def event_program(
    event: EventSpec, features: list[WindowFeature], outputs: dict[WindowFeature, int]
) -> Program:
    """The plan of the features of one entity that count events; ``outputs`` are columns of the result."""
    builder = _Builder(event, outputs)
    return _finished(builder, features, [_event_feature(builder, feature) for feature in features])


def truth_program(
    event: EventSpec, features: list[WindowFeature], outputs: dict[WindowFeature, int]
) -> Program:
    """The plan of the features of one entity that count what became known."""
    builder = _Builder(event, outputs)
    builder.inputs = [InputColumn(None, None)] * 3
    return _finished(builder, features, [_truth_feature(builder, feature) for feature in features])


def _finished(builder: _Builder, features: list[WindowFeature], rows: list[list[int]]) -> Program:
    links = []
    for _ in builder.distincts:
        links.append(builder.words)
        builder.words += 3
    cursors = [(links[each[0]], *each[1:]) for each in builder.cursors]
    plan = Plan(
        offsets=np.array(builder.offsets, np.int64),
        accumulators=_table(list(builder.accumulators.values()), 4),
        kept=_table([[word, column] for column, word in builder.kept.items()], 2),
        distincts=np.array(links, np.int64),
        trees=_table([list(each) for each in builder.trees], 2),
        features=_table(rows, 12),
        scales=np.array([_scale(builder.event, feature) for feature in features]),
        cursors=_table([list(each) for each in cursors], 4),
    )
    row_reach = max(f.delay if f.aggregate is Aggregate.SINCE_LAST else f.reach for f in features)
    reach = max(feature.reach for feature in features)
    made_of = [FORMAT, row_reach, reach, *(array.tolist() for array in plan)]
    made_of += [[repr(each) for each in builder.inputs], [repr(each) for each in builder.distincts]]
    made_of += [builder.words, _types(builder, features[0].entity)]
    return Program(
        plan=plan,
        inputs=builder.inputs,
        distincts=builder.distincts,
        row_words=builder.words,
        entity_words=HINTS + len(builder.offsets) + 3 * len(builder.cursors),
        row_reach=row_reach,
        reach=reach,
        layout=hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16],
    )


def _types(builder: _Builder, entity: tuple[str, ...]) -> list[str]:
    """The types of all fields that are read: values of another type have other digests and numbers."""
    read = [*entity, *(each.name for each in (*builder.inputs, *builder.distincts) if each.name is not None)]
    return [f"{name} {builder.event.fields[name].type!r}" for name in read]


def _event_feature(builder: _Builder, feature: WindowFeature) -> list[int]:
    event, which = builder.event, feature.aggregate
    low, high = builder.boundary(feature.reach), builder.boundary(feature.delay)
    row = [0, low, high, int(feature.include_current), builder.outputs[feature], 0, -1, -1, -1, -1, 0, -1]

    def with_(op: int, **words: int) -> list[int]:
        names = ("sum_kind", "sum_word", "count_word", "squares_word", "value", "is_float", "extra")
        return [op, *row[1:5], *(words.get(name, row[5 + at]) for at, name in enumerate(names))]

    column = (
        _number(builder.inputs, InputColumn(feature.column, feature.condition)) if _reads(feature) else -1
    )
    optional = feature.condition is not None or (
        feature.column is not None and not event.fields[feature.column].required
    )
    counts = builder.accumulator(COUNT, column) if optional and which not in _UNCOUNTED else -1
    if which is Aggregate.COUNT:
        return with_(ROWS, count_word=counts)
    if which is Aggregate.RATE:
        return with_(SHARE, count_word=counts, extra=-1)
    if which is Aggregate.SINCE_LAST:
        latest = builder.accumulator(LATEST, column, counts) if feature.condition else -1
        return with_(SINCE, count_word=latest, extra=feature.reach)
    if which is Aggregate.DISTINCT:
        distinct = _number(builder.distincts, InputColumn(feature.column, feature.condition))
        builder.cursors.append((distinct, low, high, int(feature.include_current)))
        return with_(DIFFERENT, extra=len(builder.cursors) - 1)
    is_float = int(event.fields[feature.column or ""].type.kind is Kind.FLOAT)
    if which in {Aggregate.MIN, Aggregate.MAX}:
        value = builder.value(column)
        tree = _number(builder.trees, (value, int(which is Aggregate.MIN)))
        op = LEAST if which is Aggregate.MIN else GREATEST
        return with_(op, value=value, is_float=is_float, extra=tree)
    if which is Aggregate.LAST:
        value = builder.value(column)
        return with_(NTH, count_word=counts, value=value, is_float=is_float, extra=feature.position)
    value = builder.value(column) if is_float else -1
    kind = _sum_kind(event, feature)
    total = builder.accumulator(kind, column, max(value, 0))
    words = {"sum_kind": kind, "sum_word": total, "count_word": counts, "value": value, "is_float": is_float}
    if which is Aggregate.STD:
        squares = FLOAT_SQUARES if is_float else WIDE_SQUARES
        words["squares_word"] = builder.accumulator(squares, column, max(value, 0))
        return with_(DEVIATION, **words)
    return with_(TOTAL if which is Aggregate.SUM else AVERAGE, **words)


_UNCOUNTED = {Aggregate.DISTINCT, Aggregate.MIN, Aggregate.MAX}


def _reads(feature: WindowFeature) -> bool:
    """Whether the feature needs an input column: not to count rows, nor to tell values apart."""
    plain = feature.column is None and feature.condition is None
    return not plain and feature.aggregate is not Aggregate.DISTINCT


def _truth_feature(builder: _Builder, feature: WindowFeature) -> list[int]:
    low, high = builder.boundary(feature.reach), builder.boundary(feature.delay)
    start = [low, high, 0, builder.outputs[feature]]
    if feature.aggregate is Aggregate.FRAUDS:
        frauds = builder.accumulator(SUM, FRAUD)
        return [TOTAL, *start, SUM, frauds, -1, -1, -1, 0, -1]
    known = builder.accumulator(SUM, FRAUD_LET_THROUGH)
    passed = builder.accumulator(COUNT, LET_THROUGH)
    return [SHARE, *start, 0, -1, known, -1, -1, 0, passed]


def _sum_kind(event: EventSpec, feature: WindowFeature) -> int:
    kind = event.fields[feature.column or ""].type
    if kind.kind is Kind.FLOAT:
        return FLOAT_SUM
    return SUM if kind.kind is Kind.DECIMAL and kind.precision <= _NARROW_DIGITS else WIDE_SUM


def _scale(event: EventSpec, feature: WindowFeature) -> float:
    if feature.column is None or feature.aggregate is Aggregate.DISTINCT:
        return 1.0
    return float(10 ** event.fields[feature.column].type.scale)


def _number(known: list[Item], item: Item) -> int:
    if item not in known:
        known.append(item)
    return known.index(item)


def _table(rows: list[list[int]], width: int) -> Ints:
    return np.array(rows, np.int64).reshape(len(rows), width)
