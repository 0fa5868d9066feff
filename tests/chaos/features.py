"""Every feature of every event by looking at all that was applied before: slow, and nothing of the product.

The history of an entity is what the log of its stage says was applied, in its order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.chaos.counts import Counts
    from tests.chaos.declared import Counting
    from tests.chaos.fates import Logged, Place

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
_TOLERANCE = 1e-9
_Expected = tuple[str, float, float]
"""Name, value and scale of a feature."""
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
    """Compares each row of the last stage's log with what the histories of its entities say."""

    def __init__(self, counts: Counts, stages: Sequence[Counting]) -> None:
        self._counts = counts
        self._stages = stages
        self._histories: dict[tuple[int, int, str], list[_Applied]] = defaultdict(list)
        self._carried: dict[Place, list[_Expected]] = {}
        """Of an event, by its own place: what the stage before should have found."""
        self.compared = 0

    def log(self, number: int, logged: Logged) -> None:
        """The next message of a partition's log in this stage."""
        counting = self._stages[number]
        last = number == len(self._stages) - 1
        for item in sorted([*logged.deltas, *logged.rows], key=lambda row: row["seq"]):
            known = "fraud" in item
            entity = item[f"entity_{counting.key}" if known else counting.key]
            history = self._histories[number, logged.partition, entity]
            if known:
                history.append(_delta(item))
                continue
            expected = [] if item["late"] else list(_expected(counting, item, history))
            history.append(_event(item))
            if last:
                carried = self._carried.pop(_origin(item), [])
                self._compare(logged.partition, item, [*carried, *expected])
            else:
                self._carried[logged.partition, item["source_offset"]] = expected

    def _compare(self, partition: int, row: dict[str, Any], expected: list[_Expected]) -> None:
        of_the_event = [(name, meaning(row), 1.0) for name, meaning in _ROWS.items()]
        for name, value, scale in [*of_the_event, *expected]:
            found = math.nan if row[name] is None else row[name]
            self.compared += 1
            same = math.isnan(found) if math.isnan(value) else abs(found - value) <= _TOLERANCE * scale
            if not same:
                where = f"{partition}@{row['source_offset']}"
                self._counts.tell("wrong", f"{where}: {name} is {found!r}, expected {value!r}")


def _expected(counting: Counting, row: dict[str, Any], history: list[_Applied]) -> Iterator[_Expected]:
    now = _seconds(row["event_time"])
    for prefix, fields, windows, aggregates in counting.counted:
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
    if counting.frauds:
        week = [each for each in history if now - _WINDOWS["7d"] < each.at <= now]
        yield from _frauds(counting.key, row["seq"], week)


def _frauds(key: str, seq: int, week: list[_Applied]) -> Iterator[_Expected]:
    known = [each for each in week if each.own is None]
    passed = sum(each.own is not None and each.let_through and each.decided_seq < seq for each in week)
    caught = sum(each.fraud for each in known if each.let_through)
    yield f"{key}_frauds_7d", float(sum(each.fraud for each in known)), 1.0
    yield f"{key}_fraud_rate_7d", caught / passed if passed else math.nan, 1.0


def _origin(row: dict[str, Any]) -> Place:
    """Where the event itself stands; nowhere, where there is no stage before."""
    return row.get("origin_partition", -1), row.get("origin_offset", -1)


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
    decided_seq, let_through = row.get("decided_seq", row["seq"]), row.get("action") == "approve"
    return _Applied(at, row["seq"], decided_seq, let_through, cents, 0, own)


def _delta(row: dict[str, Any]) -> _Applied:
    at = _seconds(row["event_time"])
    return _Applied(at, row["seq"], row["seq"], row["let_through"], 0, row["fraud"], None)


def _seconds(moment: datetime) -> float:
    """Whole microseconds since 2026 are exact in a float."""
    return (moment - _BEGIN).total_seconds()
