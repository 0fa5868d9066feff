"""The twin equals the oracle on random streams with ties, late events, nulls, steps and outcomes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from feature_store.declaration.pipeline import Pipeline
from tests.support.oracle import Delta, Event, Meaning, Oracle
from tests.support.twin import twin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECOND = 1_000_000
ALL = {
    "count": True,
    "sum": ["money", "weight", "items"],
    "mean": ["money", "weight", "items"],
    "min": ["money", "weight"],
    "max": ["money", "items"],
    "std": ["money", "weight"],
    "distinct": ["shop", "money", "flag"],
    "last": {"money": 3, "weight": 1},
    "since_last": True,
}
PIPELINE = Pipeline.model_validate(
    {
        "pipeline": "twin",
        "event": {
            "id": "id",
            "time": "moment",
            "key": "card",
            "fields": {
                "id": "string",
                "moment": "timestamp",
                "card": "string",
                "shop": {"type": "string", "required": False},
                "items": {"type": "integer", "required": False},
                "money": {"type": "decimal(18,2)", "required": False},
                "weight": {"type": "float", "required": False},
                "flag": {"type": "boolean", "required": False},
            },
        },
        "features": {
            "lateness": "1h",
            "rows": {
                "double_items": "items * 2",
                "inverse": "1 / items",
                "late_hour": "extract(hour from moment) > 3",
            },
            "categories": {"shop": ["y", "x's"]},
            "windows": [
                {"entity": "card", "windows": ["5s", "40s"], "ratio": [["5s", "40s"]], **ALL},
                {
                    "entity": "shop",
                    "windows": ["20s"],
                    "where": {"flagged": "flag", "big": "items > 3"},
                    "rate": True,
                    **ALL,
                },
                {"entity": ["card", "shop"], "windows": ["30s"], "delay": "7s", "empty": -1, **ALL},
                {
                    "entity": "card",
                    "windows": ["1s", "30s"],
                    "count": True,
                    "sum": "money",
                    "std": "items",
                    "include_current": True,
                },
                {"entity": "card", "windows": ["10s", "60s"], "frauds": True, "fraud_rate": True},
                {
                    "entity": "shop",
                    "windows": ["10s", "60s"],
                    "frauds": True,
                    "fraud_rate": True,
                    "delay": "5s",
                    "empty": 0,
                },
            ],
        },
        "outcomes": {"sources": {"bank": "1d"}},
        "decision": {"costs": {"missed_fraud": 1, "review": 1, "false_decline": 1}},
    }
)
MEANING = Meaning(
    conditions={
        "flagged": lambda values: values["flag"] is True,
        "big": lambda values: values["items"] is not None and values["items"] > 3,
    },
    rows={
        "double_items": lambda values: _number(values, lambda items: 2.0 * items),
        "inverse": lambda values: _number(values, lambda items: 1 / items if items else float("nan")),
        "late_hour": lambda values: float(values["moment"] // 3_600_000_000 > 3),
    },
)


def _number(values: Mapping[str, Any], value: Callable[[int], float]) -> float:
    return float("nan") if values["items"] is None else value(values["items"])


def stream(seed: int, length: int, late: float) -> list[Event | Delta]:
    """Random records in applied order, in steps; their actions are known after the step."""
    chance = random.Random(seed)
    history: list[Event | Delta] = []
    now, seq = 3_600 * SECOND * 4 - 30 * SECOND, 0
    while len(history) < length:
        size = chance.randint(1, 6)
        for position in range(size):
            seq += 1
            if history and chance.random() < 0.25:
                history.append(_delta(chance, history, seq))
                continue
            now += chance.choice([0, 0, 1, SECOND, 2 * SECOND, 5 * SECOND])
            at = now - (chance.randint(0, 30) * SECOND if chance.random() < late else 0)
            history.append(_event(chance, at, seq, seq + size - 1 - position))
    return history


def _event(chance: random.Random, at: int, seq: int, decided_seq: int) -> Event:
    card = chance.choice("ab")
    values = {
        "id": f"e{seq}",
        "moment": at,
        "card": card,
        "shop": chance.choice(["x's", "y", "z", None]),
        "items": chance.choice([None, 0, 1, 3, 4, 7]),
        "money": chance.choice([None, 0, 5, 12_345, -999, 10**18 - 1, 10**18 - 7, -(10**18) + 1]),
        "weight": chance.choice([None, 0.1, -2.5, 1e12, 3.3e38, -1e-9]),
        "flag": chance.choice([None, True, False]),
    }
    return Event(values, ord(card) % 2, seq, decided_seq, chance.random() < 0.7)


def _delta(chance: random.Random, history: list[Event | Delta], seq: int) -> Delta:
    about = chance.choice([each for each in history if isinstance(each, Event)] or [None])
    if about is None:
        return Delta({"card": "a", "shop": "y"}, 1, 0, seq, 1, True)
    entity = {name: about.values[name] for name in ("card", "shop")}
    return Delta(
        entity, about.partition, about.values["moment"], seq, chance.choice([1, 1, -1]), about.let_through
    )


@pytest.mark.parametrize("late", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(2))
def test_the_twin_equals_the_oracle(seed: int, late: float) -> None:
    history = stream(seed, 120, late)
    found = twin(PIPELINE, history)
    oracle = Oracle(PIPELINE, MEANING)
    names = [feature.name for feature in PIPELINE.feature_vector]
    events = [each for each in history if isinstance(each, Event)]
    assert len(found) == len(events)
    for event in events:
        row = found[event.partition, event.seq]
        assert row["id"] == event.values["id"]
        for name, expected in zip(names, oracle.vector(event, history), strict=True):
            value = float("nan") if row[name] is None else row[name]
            assert expected.allows(value), (name, event, expected, value)
