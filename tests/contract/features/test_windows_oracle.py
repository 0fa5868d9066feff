"""Sliding windows against an oracle that is obviously right, on any stream Hypothesis thinks of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.columns import columns_of
from feature_store.declaration.features import Aggregate, WindowFeature
from feature_store.declaration.pipeline import Pipeline
from feature_store.store import FeatureStore

if TYPE_CHECKING:
    from feature_store.decode import Values

MINUTE = 60_000_000
PIPELINE = Pipeline.model_validate(
    {
        "pipeline": "oracle",
        "event": {
            "id": "id",
            "time": "at",
            "key": "card",
            "fields": {
                "id": "string",
                "at": "timestamp",
                "card": "string",
                "shop": {"type": "string", "required": False},
                "money": {"type": "decimal(18,2)", "required": False},
                "weight": {"type": "float", "required": False},
            },
        },
        "features": {
            "lateness": "10m",
            "windows": [
                {
                    "entity": "card",
                    "windows": ["1m", "1h"],
                    "count": True,
                    "sum": "money",
                    "mean": ["money", "weight"],
                },
                {
                    "entity": "card",
                    "windows": ["5m"],
                    "count": True,
                    "sum": "weight",
                    "include_current": True,
                },
                {"entity": ["card", "shop"], "windows": ["1h"], "count": True, "delay": "2m"},
                {"entity": "shop", "windows": ["30m"], "count": True, "mean": "money"},
            ],
        },
        "outcomes": {"sources": {"bank": "1d"}},
        "decision": {"costs": {"missed_fraud": 1, "review": 1, "false_decline": 1}},
    }
)
FEATURES = PIPELINE.features.window_features()
NAMES = list(PIPELINE.event.fields)
PARTITIONS = 2

events = st.tuples(
    st.just("id"),
    st.integers(0, 90).map(lambda half: half * MINUTE // 2),
    st.sampled_from("abc"),
    st.none() | st.sampled_from("xy"),
    st.none() | st.integers(-(10**17), 10**17) | st.integers(-500, 500),
    st.none() | st.floats(-1e12, 1e12),
)
batches = st.lists(st.tuples(st.lists(events, max_size=8), st.booleans()), max_size=8)


@dataclass
class Oracle:
    """Every feature by looking at everything that was applied before."""

    applied: list[Values] = field(default_factory=list)

    def observe(self, event: Values) -> list[float]:
        found = [self._value(feature, event) for feature in FEATURES]
        self.applied.append(event)
        return found

    def _value(self, feature: WindowFeature, event: Values) -> float:
        entity = _entity(feature, event)
        if entity is None:
            return math.nan
        until = event[1] - feature.delay
        seen = [*self.applied, event] if feature.include_current else self.applied
        inside = [e for e in seen if _entity(feature, e) == entity and until - feature.window < e[1] <= until]
        if feature.aggregate is Aggregate.COUNT:
            return float(len(inside))
        values = [e[NAMES.index(feature.column or "")] for e in inside]
        exact = [Fraction(v) for v in values if v is not None]
        total = sum(exact, Fraction(0)) / (100 if feature.column == "money" else 1)
        if feature.aggregate is Aggregate.SUM:
            return float(total)
        return float(total / len(exact)) if exact else math.nan


def _entity(feature: WindowFeature, event: Values) -> tuple[Any, ...] | None:
    parts = tuple(event[NAMES.index(name)] for name in feature.entity)
    return None if None in parts else parts


def _partition(event: Values) -> int:
    return ord(event[2]) % PARTITIONS


def _new_store() -> FeatureStore:
    store = FeatureStore(PIPELINE)
    for partition in range(PARTITIONS):
        store.add_partition(partition)
    return store


def _run(store: FeatureStore, batch: list[Values]) -> list[list[float]]:
    found: list[list[float]] = store.observe(
        columns_of(PIPELINE.event, batch), [_partition(event) for event in batch]
    ).tolist()
    return found


def _within_lateness(batch: list[Values], newest: int) -> list[Values]:
    return [event for event in batch if event[1] >= newest - PIPELINE.features.lateness]


@settings(max_examples=300, deadline=None)
@given(batches)
def test_online_equals_the_oracle_through_commits_and_rollbacks(
    stream: list[tuple[list[Values], bool]],
) -> None:
    store, oracle = _new_store(), Oracle()
    newest = 0
    for drawn, commits in stream:
        batch = _within_lateness(drawn, newest)
        before = list(oracle.applied)
        expected = [oracle.observe(event) for event in batch]
        _assert_equal(_run(store, batch), expected)
        if commits:
            store.commit()
            newest = max([newest, *(event[1] for event in batch)])
        else:
            store.rollback()
            oracle.applied = before


@settings(max_examples=100, deadline=None)
@given(batches)
def test_replaying_the_committed_events_gives_the_same_state(
    stream: list[tuple[list[Values], bool]],
) -> None:
    first, second = _new_store(), _new_store()
    committed = [event for batch, commits in stream if commits for event in batch]
    for batch, commits in stream:
        _run(first, batch)
        first.commit() if commits else first.rollback()
    second.apply(columns_of(PIPELINE.event, committed), [_partition(event) for event in committed])
    second.commit()
    newest = max((event[1] for event in committed), default=0)
    probe: list[Values] = [("id", newest, card, shop, 1, 1.0) for card in "abc" for shop in "xy"]
    _assert_equal(_run(second, probe), _run(first, probe))


def _assert_equal(found: list[list[float]], expected: list[list[float]]) -> None:
    for row, wanted in zip(found, expected, strict=True):
        for feature, value, right in zip(FEATURES, row, wanted, strict=True):
            if feature.column == "weight":
                assert math.isnan(value) == math.isnan(right), feature.name
                assert math.isnan(right) or abs(value - right) <= 1e-9 * max(abs(right), 1e12), feature.name
            else:
                assert value == right or (math.isnan(value) and math.isnan(right)), feature.name
