"""A small file of past events, and a pipeline that counts everything about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.declaration.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 5, tzinfo=UTC)
DELAY = timedelta(days=2)

WINDOWS: list[dict[str, Any]] = [
    {"entity": "customer", "windows": ["24h", "3d"], "count": True, "sum": "amount", "mean": "amount"},
    {"entity": "terminal", "windows": ["24h"], "count": True, "include_current": True},
]
OUTCOMES: list[dict[str, Any]] = [
    {"entity": "terminal", "windows": ["3d"], "delay": "24h", "frauds": True, "fraud_rate": True},
    {"entity": "customer", "windows": ["7d"], "frauds": True, "empty": 0.0},
]


def declared(*windows: dict[str, Any], **changes: Any) -> Pipeline:
    """A pipeline of payments whose labels are known two days later."""
    tree: dict[str, Any] = {
        "pipeline": "past",
        "topics": {"retention": "60d", "partitions": 3},
        "event": {
            "id": "id",
            "time": "at",
            "key": "customer",
            "fields": {"id": "string", "at": "timestamp", "customer": "string", "terminal": "string",
                       "amount": "decimal(9,2)"},
            "file": {"label": {"column": "fraud", "delay": "2d", "source": "history"}},
        },
        "features": {"rows": {"large": "amount > 5"}, "windows": list(windows or WINDOWS)},
        "outcomes": {"sources": {"history": "7d"}},
        "decision": {"costs": {"missed_fraud": 100, "review": 1, "false_decline": 5}},
    }  # fmt: skip
    return Pipeline.model_validate(tree | changes)


def written(folder: Path, hours: list[float], frauds: list[int], *, customers: int = 3) -> Path:
    """A file with an event at each of ``hours`` after the start; ``frauds`` are their places."""
    count = len(hours)
    times = [(START + timedelta(hours=hour)).replace(tzinfo=None) for hour in hours]
    table = pa.table(
        {
            "id": pa.array([f"e{n}" for n in range(count)], pa.string()),
            "at": pa.array(times, pa.timestamp("us")),
            "customer": [f"c{n % customers}" for n in range(count)],
            "terminal": [f"t{n % 2}" for n in range(count)],
            "amount": [round(0.25 + n * 1.37 % 11, 2) for n in range(count)],
            "fraud": [n in frauds for n in range(count)],
        }
    )
    path = folder / "past.parquet"
    pq.write_table(table, path)
    return path
