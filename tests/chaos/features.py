"""Every feature of every event by looking at all that was applied before: slow, and nothing of the product.

What ``config/payments.yaml`` and a count of known frauds declare, said again in Python. The history of a
customer is what the feature log says was applied, in its order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.chaos.fates import Counts, Logged

_HOUR = 3_600.0
_WINDOWS = {"1h": _HOUR, "24h": 24 * _HOUR, "7d": 7 * 24 * _HOUR}
_RISKY = ("gift_cards", "electronics", "travel", "gambling")
_ROWS: Mapping[str, Callable[[dict[str, Any]], float]] = {
    "amount_eur": lambda row: float(row["amount"]),
    "hour": lambda row: float(row["event_time"].hour),
    "night": lambda row: float(row["event_time"].hour < 6),
    "weekend": lambda row: float(row["event_time"].isoweekday() >= 6),
    "online": lambda row: float(row["channel"] == "online"),
    "abroad": lambda row: float(row["country"] != row["home_country"]),
    "no_device": lambda row: float(row["device_id"] is None),
    "risky_category": lambda row: float(row["merchant_category"] in _RISKY),
}
_COUNTED = (
    ("customer_id", (), ("1h", "24h", "7d"), ("count", "sum_amount", "mean_amount")),
    ("customer_id_card_id", ("card_id",), ("1h", "24h"), ("count", "sum_amount")),
    ("customer_id_terminal_id", ("terminal_id",), ("7d",), ("count",)),
    ("customer_id_country", ("country",), ("24h", "7d"), ("count",)),
    ("customer_id_device_id", ("device_id",), ("7d",), ("count",)),
)
"""Prefix, the fields beside the customer, windows, aggregates."""
_TOLERANCE = 1e-9
_BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001  (the log's instants are UTC without a zone)


@dataclass(frozen=True)
class _Applied:
    at: float
    seq: int
    decided_seq: int
    let_through: bool
    cents: int
    fraud: int
    own: Mapping[str, Any] | None
    """None: what became known about an event."""


class Features:
    """Compares each logged row with what its customer's history says."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._histories: dict[tuple[int, str], list[_Applied]] = defaultdict(list)
        self.compared = 0

    def log(self, logged: Logged) -> None:
        """The next message of a partition's log."""
        for item in sorted([*logged.deltas, *logged.rows], key=lambda row: row["seq"]):
            if "fraud" in item:
                history = self._histories[logged.partition, item["entity_customer_id"]]
                history.append(_delta(item))
            else:
                history = self._histories[logged.partition, item["customer_id"]]
                self._compare(logged.partition, item, history)
                history.append(_event(item))

    def _compare(self, partition: int, row: dict[str, Any], history: list[_Applied]) -> None:
        if row["late"]:
            return
        for name, expected, scale in _expected(row, history):
            found = math.nan if row[name] is None else row[name]
            self.compared += 1
            same = math.isnan(found) if math.isnan(expected) else abs(found - expected) <= _TOLERANCE * scale
            if not same:
                where = f"{partition}@{row['source_offset']}"
                self._counts.tell("wrong", f"{where}: {name} is {found!r}, expected {expected!r}")


def _expected(row: dict[str, Any], history: list[_Applied]) -> Iterator[tuple[str, float, float]]:
    """Name, value and scale of every feature."""
    now = _seconds(row["event_time"])
    for name, meaning in _ROWS.items():
        yield name, meaning(row), 1.0
    for prefix, fields, windows, aggregates in _COUNTED:
        for window in windows:
            inside = [
                each
                for each in history
                if each.own is not None
                and now - _WINDOWS[window] < each.at <= now
                and all(each.own[field] == row[field] for field in fields)
            ]
            unknown = any(row[field] is None for field in fields)
            for aggregate in aggregates:
                value = math.nan if unknown else _aggregate(aggregate, inside)
                yield f"{prefix}_{aggregate}_{window}", value, max((each.cents for each in inside), default=1)
    week = [each for each in history if now - _WINDOWS["7d"] < each.at <= now]
    known = [each for each in week if each.own is None]
    passed = sum(each.own is not None and each.let_through and each.decided_seq < row["seq"] for each in week)
    caught = sum(each.fraud for each in known if each.let_through)
    yield "customer_id_frauds_7d", float(sum(each.fraud for each in known)), 1.0
    yield "customer_id_fraud_rate_7d", caught / passed if passed else math.nan, 1.0


def _aggregate(name: str, inside: list[_Applied]) -> float:
    total = sum(each.cents for each in inside)
    if name == "count":
        return float(len(inside))
    if name == "sum_amount":
        return total / 100
    return total / (100 * len(inside)) if inside else math.nan


def _event(row: dict[str, Any]) -> _Applied:
    own = {name: row[name] for name in ("card_id", "terminal_id", "country", "device_id")}
    cents = int(row["amount"].scaleb(2))
    at = _seconds(row["event_time"])
    return _Applied(at, row["seq"], row["decided_seq"], row["action"] == "approve", cents, 0, own)


def _delta(row: dict[str, Any]) -> _Applied:
    at = _seconds(row["event_time"])
    return _Applied(at, row["seq"], row["seq"], row["let_through"], 0, row["fraud"], None)


def _seconds(moment: datetime) -> float:
    """Whole microseconds since 2026 are exact in a float."""
    return (moment - _BEGIN).total_seconds()
