"""Declarations of 10, 40 and 200 features over two entities, as a fraud team would have them."""

from __future__ import annotations

from typing import Any

from feature_store.declaration.pipeline import Pipeline

LENGTHS = ["1m", "1h", "24h", "7d", "30d"]
_PLAIN: dict[str, Any] = {"windows": LENGTHS, "count": True, "sum": "amount", "mean": "amount"}
_EVERY: dict[str, Any] = {
    "count": True,
    "sum": "amount",
    "mean": "amount",
    "min": "amount",
    "max": "amount",
    "std": "amount",
    "distinct": "category",
    "last": {"amount": 4},
    "since_last": True,
}
_SPECS: dict[int, list[dict[str, Any]]] = {
    10: [{"windows": ["1h", "30d"], "count": True, "sum": "amount", "since_last": True}],
    40: [{**_PLAIN, "last": {"amount": 4}, "since_last": True}],
    200: [
        {"windows": LENGTHS, **_EVERY},
        {
            **_PLAIN,
            "rate": True,
            "where": {"large": "amount > 500", "groceries": "category = 7"},
        },
        {**_PLAIN, "max": "amount", "delay": "7d"},
    ],
}


def declared(features: int) -> Pipeline:
    """A pipeline with 10, 40 or 200 windowed features."""
    pipeline = _pipeline(_SPECS[features])
    if len(pipeline.feature_vector) != features:
        raise ValueError(f"{len(pipeline.feature_vector)} features are declared, not {features}")
    return pipeline


def of_one_length(length: str) -> Pipeline:
    """Every aggregate over one window: 12 features for each of two entities."""
    return _pipeline([{"windows": [length], **_EVERY}])


def _pipeline(specs: list[dict[str, Any]]) -> Pipeline:
    # Both entities contain the key, so both have state per partition, as most do.
    windows = [{"entity": entity, **spec} for entity in ("card", ["card", "shop"]) for spec in specs]
    return Pipeline.model_validate(
        {
            "pipeline": "benchmark",
            "clock": "stream",
            "event": {
                "id": "id",
                "time": "at",
                "key": "card",
                "fields": {
                    "id": "string",
                    "at": "timestamp",
                    "card": "string",
                    "shop": "string",
                    "category": "integer",
                    "amount": "decimal(12,2)",
                },
            },
            "features": {"windows": windows},
            "outcomes": {"sources": {"bank": "1d"}},
            "decision": {"costs": {"missed_fraud": 1, "review": 1, "false_decline": 1}},
        }
    )
