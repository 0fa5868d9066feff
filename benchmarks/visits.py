"""A stream in which the number of entities is chosen: every customer pays once, then they come again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.workload import Payment

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = datetime(2026, 1, 1, tzinfo=UTC)
_FIRST_DAY_US = 86_400_000_000
_STEP_US = 10_000


def declaration(
    windows: tuple[str, ...] = ("1h", "24h", "7d"),
    partitions: int = 4,
    remembered: str = "24h",
    lateness: str = "1h",
    **serving: Any,
) -> dict[str, Any]:
    """The pipeline file, as a tree: one entity, three features for each window, rules only.

    Ids of events are known again for ``remembered``; state is kept for the longest window and ``lateness``.
    """
    counted = {"windows": list(windows), "count": True, "sum": "amount", "mean": "amount"}
    return {
        "pipeline": "visits",
        "clock": "wall",
        "event": {
            "id": "event_id",
            "time": "event_time",
            "key": "customer_id",
            "fields": {
                "event_id": "string",
                "event_time": "timestamp",
                "customer_id": "string",
                "amount": "decimal(12,2)",
            },
        },
        "features": {"lateness": lateness, "windows": [{"entity": "customer_id", **counted}]},
        "outcomes": {"sources": {"bank": "1d"}},
        "decision": {
            "costs": {"amount": "amount", "missed_fraud_share": 1.0, "review": 4.0, "false_decline": 15.0},
            "duplicates": {"window": remembered},
        },
        "topics": {"partitions": partitions},
        "serving": serving,
    }


def visits(customers: int, first: int = 0, count: int | None = None) -> Iterator[Payment]:
    """Events from number ``first`` on: the first ``customers`` of them within a day, of one customer each,
    then the same customers in turn, a hundred events a second. ``count`` None: those of the first day.
    """
    for number in range(first, first + (customers if count is None else count)):
        if number < customers:
            passed = number * _FIRST_DAY_US // customers
        else:
            passed = _FIRST_DAY_US + (number - customers) * _STEP_US
        at = _START + timedelta(microseconds=passed)
        key = f"customer-{number % customers:08d}"
        value = (
            f'{{"event_id":"visit-{number:012x}","event_time":"{at:%Y-%m-%dT%H:%M:%S.%f}Z",'
            f'"customer_id":"{key}","amount":{number % 900 + 1}.{number % 90 + 10}}}'
        )
        yield Payment(key.encode(), value.encode(), int(at.timestamp() * 1_000))
