"""The pipelines that the parity tests declare: one event of every type, SQL and what it means in Python."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from feature_store.declaration.pipeline import Pipeline
from tests.support.oracle import Meaning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOUR = 3_600_000_000
FIELDS: dict[str, Any] = {
    "id": "string",
    "moment": "timestamp",
    "card": "string",
    "shop": {"type": "string", "required": False},
    "terminal": {"type": "integer", "required": False},
    "abroad": {"type": "boolean", "required": False},
    "seen": {"type": "timestamp", "required": False},
    "money": {"type": "decimal(18,2)", "required": False},
    "share": {"type": "decimal(18,6)", "required": False},
    "points": {"type": "integer", "required": False},
    "weight": {"type": "float", "required": False},
}
NUMBERS = ("money", "share", "points", "weight")
CONDITIONS = {
    "dear": "money > 100",
    "abroad": "abroad",
    "nowhere": "shop is null",
    "even": "points % 2 = 0 and weight > 1.5",
    "seventh": "cast(shop as integer) = 7",  # an error for most shops: false
    "night": "extract(hour from moment) < 6",
}
ROWS = {"is_dear": "money > 100", "hour_of_day": "extract(hour from moment)", "doubled": "weight * 2"}


def _dear(values: Mapping[str, Any]) -> bool | None:
    return None if values["money"] is None else values["money"] > 100_00


def _doubled(values: Mapping[str, Any]) -> float:
    return math.nan if values["weight"] is None else values["weight"] * 2.0


def _hour(values: Mapping[str, Any]) -> int:
    hour: int = values["moment"] // HOUR % 24
    return hour


def _even(values: Mapping[str, Any]) -> bool:
    points, weight = values["points"], values["weight"]
    return points is not None and points % 2 == 0 and weight is not None and weight > 1.5


def _is_dear(values: Mapping[str, Any]) -> float:
    dear = _dear(values)
    return math.nan if dear is None else float(dear)


MEANING = Meaning(
    conditions={
        "dear": lambda values: bool(_dear(values)),
        "abroad": lambda values: bool(values["abroad"]),
        "nowhere": lambda values: values["shop"] is None,
        "even": _even,
        "seventh": lambda values: values["shop"] == "7",
        "night": lambda values: _hour(values) < 6,
    },
    rows={"is_dear": _is_dear, "hour_of_day": lambda values: float(_hour(values)), "doubled": _doubled},
)


def pipeline_of(windows: Sequence[Mapping[str, Any]], *, lateness: str = "10m", **features: Any) -> Pipeline:
    """The pipeline that declares these windows; ``features`` are further keys of its section."""
    return Pipeline.model_validate(
        {
            "pipeline": "parity",
            "topics": {"retention": "60d"},
            "event": {"id": "id", "time": "moment", "key": "card", "fields": FIELDS},
            "features": {"lateness": lateness, "windows": list(windows), **features},
            "outcomes": {"sources": {"bank": "1d"}},
            "decision": {"costs": {"missed_fraud": 1, "review": 1, "false_decline": 1}},
        }
    )


EVERYTHING: dict[str, Any] = {
    "count": True,
    **{aggregate: list(NUMBERS) for aggregate in ("sum", "mean", "min", "max", "std")},
    "distinct": ["shop", "money", "weight", "seen", "abroad"],
}


def where(*names: str) -> dict[str, str]:
    """Conditions by name, as declared."""
    return {name: CONDITIONS[name] for name in names}


RICH = pipeline_of(
    [
        {**EVERYTHING, "entity": "card", "windows": ["1m", "1h", "6h"], "since_last": True},
        {
            "entity": "card",
            "last": {"money": 3, "weight": 2},
            "since_last": True,
            "horizon": "90m",
            "delay": "1m",
        },
        {
            "entity": "card",
            "windows": ["5m", "2h"],
            "count": True,
            "sum": ["money", "weight"],
            "mean": ["points"],
            "max": ["money"],
            "std": ["weight"],
            "distinct": ["terminal"],
            "include_current": True,
        },
        {
            "entity": "card",
            "windows": ["30m"],
            "where": where("dear", "even", "seventh"),
            "count": True,
            "rate": True,
            "sum": ["money"],
            "min": ["weight"],
            "std": ["money"],
            "last": {"points": 2},
            "since_last": True,
            "empty": -1,
        },
        {
            "entity": "card",
            "windows": ["10m"],
            "ratio": [["10m", "3h"], ["1m", "10m"]],
            "count": True,
            "sum": ["money", "weight"],
            "mean": ["money", "points"],
            "delay": "2m",
        },
        {"entity": ["card", "shop"], "windows": ["1h"], "count": True, "mean": "share", "delay": "3m"},
        {"entity": ["terminal", "card"], "windows": ["2h"], "frauds": True, "fraud_rate": True, "empty": 0},
        {"entity": "card", "windows": ["30m", "4h"], "frauds": True, "fraud_rate": True, "delay": "10m"},
        {
            "entity": "shop",
            "windows": ["15m", "5h"],
            "count": True,
            "sum": ["money", "points", "weight"],
            "mean": ["weight"],
            "max": ["share"],
            "distinct": ["card", "terminal"],
            "last": {"weight": 2},
            "frauds": True,
            "fraud_rate": True,
        },
        {
            "entity": ["shop", "abroad"],
            "windows": ["45m"],
            "count": True,
            "where": where("night"),
            "rate": True,
        },
        {"entity": "terminal", "windows": ["20m"], "std": ["share", "weight"], "include_current": True},
    ],
    rows=ROWS,
    categories={"shop": ["x", "7", ""]},
)  # fmt: skip
"""Every aggregate, over entities of every kind."""
