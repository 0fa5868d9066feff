"""Exact sliding windows: per entity a time-ordered list with prefix sums, searched by bisection.

The window of an event at time t is ``(t - delay - W, t - delay]``: what was applied before and happened
inside. An in-order event costs O(log n) per window whatever the window's length; a late one also moves
what comes behind it. Sums of integers and of minor units are exact; floats are summed over the window
itself by ``math.fsum``.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from feature_store.declaration.aggregates import Aggregate, WindowFeature
from feature_store.declaration.event import EventSpec, Kind

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from feature_store.columns import Columns

Number = int | float


class _Series:
    """The events of one entity: times in order, and per column values with prefix sums."""

    __slots__ = ("counts", "sums", "times", "values")

    def __init__(self, columns: int) -> None:
        self.times: list[int] = []
        self.values: list[list[Number | None]] = [[] for _ in range(columns)]
        self.sums: list[list[int]] = [[0] for _ in range(columns)]
        self.counts: list[list[int]] = [[0] for _ in range(columns)]

    def insert(self, time: int, values: Sequence[Number | None]) -> int:
        position = bisect_right(self.times, time)
        self.times.insert(position, time)
        for column, value in enumerate(values):
            self.values[column].insert(position, value)
            self._rebuild(column, position)
        return position

    def remove(self, position: int) -> None:
        del self.times[position]
        for column, values in enumerate(self.values):
            del values[position]
            self._rebuild(column, position)

    def trim(self, limit: int) -> None:
        """Forget what happened at or before ``limit``."""
        drop = bisect_right(self.times, limit)
        if drop * 2 < len(self.times) or drop == 0:
            return  # moving what stays costs as much as it counts: once in a while, not every time
        del self.times[:drop]
        for column, values in enumerate(self.values):
            del values[:drop]
            self._rebuild(column, 0)

    def _rebuild(self, column: int, start: int) -> None:
        sums, counts, values = self.sums[column], self.counts[column], self.values[column]
        del sums[start + 1 :], counts[start + 1 :]
        if start == len(values) - 1:  # in order: the usual case
            value = values[start]
            sums.append(sums[start] + (value if isinstance(value, int) else 0))
            counts.append(counts[start] + (value is not None))
            return
        tail = values[start:]
        sums.extend(list(accumulate((v if isinstance(v, int) else 0 for v in tail), initial=sums[start]))[1:])
        counts.extend(list(accumulate((v is not None for v in tail), initial=counts[start]))[1:])


class EntityWindows:
    """Windows of one entity that agree on whether the current event counts: one series per entity value.

    Changes are journalled until ``commit``; ``rollback`` takes them back in reverse order.
    """

    def __init__(self, event: EventSpec, features: list[WindowFeature], lateness: int) -> None:
        self._entity = features[0].entity
        self._include_current = features[0].include_current
        self._columns = sorted({f.column for f in features if f.column is not None})
        self._reach = max(f.window + f.delay for f in features) + lateness
        self._steps = [_step(event, feature, self._columns) for feature in features]
        self._series: dict[Hashable, _Series] = {}
        self._journal: list[tuple[Hashable, int]] = []
        self._swept = 0

    def __len__(self) -> int:
        return len(self._series)

    def keys(self, columns: Columns) -> list[Hashable]:
        """The entity of every event; None where a part of it is null."""
        parts = [columns[name] for name in self._entity]
        if len(parts) == 1:
            return list(parts[0])
        return [None if None in key else key for key in zip(*parts, strict=True)]

    def values(self, columns: Columns, rows: int) -> list[tuple[Any, ...]]:
        """What the series keep of every event."""
        picked = [columns[name] for name in self._columns]
        return list(zip(*picked, strict=True)) if picked else [()] * rows

    def apply(self, key: Hashable, time: int, values: tuple[Any, ...]) -> None:
        """Add one event without reading the windows; an event without this entity is not counted."""
        if key is None:
            return
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(len(self._columns))
        self._journal.append((key, series.insert(time, values)))

    def observe(self, key: Hashable, time: int, values: tuple[Any, ...]) -> list[float]:
        """The features of one event as of now, and add it; all NaN where it has no such entity."""
        if key is None:
            return [math.nan] * len(self._steps)
        if self._include_current:
            self.apply(key, time, values)
            return self._read(key, time)
        found = self._read(key, time)
        self.apply(key, time, values)
        return found

    def _read(self, key: Hashable, time: int) -> list[float]:
        series = self._series.get(key, _EMPTY)
        times = series.times
        return [
            _aggregate(
                series, step, bisect_right(times, time - step.reach), bisect_right(times, time - step.delay)
            )
            for step in self._steps
        ]

    def commit(self, watermark: int) -> None:
        """What was applied stays; what no window can reach from ``watermark`` on is forgotten."""
        limit = watermark - self._reach
        for key in {key for key, _ in self._journal}:
            series = self._series[key]
            series.trim(limit)
            if not series.times:
                del self._series[key]
        self._journal.clear()
        if limit - self._swept > self._reach:
            self._sweep(limit)

    def rollback(self) -> None:
        """What was applied since the last commit never was."""
        for key, position in reversed(self._journal):
            series = self._series[key]
            series.remove(position)
            if not series.times:
                del self._series[key]
        self._journal.clear()

    def _sweep(self, limit: int) -> None:
        self._swept = limit
        for key in [key for key, series in self._series.items() if series.times[-1] <= limit]:
            del self._series[key]


class _Step(NamedTuple):
    aggregate: Aggregate
    delay: int
    reach: int
    column: int
    scale: int
    exact: bool


def _step(event: EventSpec, feature: WindowFeature, columns: list[str]) -> _Step:
    reach = feature.delay + feature.window
    if feature.column is None:
        return _Step(feature.aggregate, feature.delay, reach, column=-1, scale=1, exact=True)
    kind = event.fields[feature.column].type
    exact = kind.kind is not Kind.FLOAT
    return _Step(
        feature.aggregate, feature.delay, reach, columns.index(feature.column), 10**kind.scale, exact
    )


def _aggregate(series: _Series, step: _Step, low: int, high: int) -> float:
    if step.aggregate is Aggregate.COUNT:
        return float(high - low)
    if low == high:
        return 0.0 if step.aggregate is Aggregate.SUM else math.nan
    counts, sums = series.counts[step.column], series.sums[step.column]
    count = counts[high] - counts[low]
    if step.exact:
        total: Number = sums[high] - sums[low]
    else:
        total = _float_sum([v for v in series.values[step.column][low:high] if v is not None])
    if step.aggregate is Aggregate.SUM:
        return total / step.scale
    return total / (count * step.scale) if count else math.nan


def _float_sum(values: list[Number]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:  # on the way or at the end: infinite only where the sum itself is too large
        return math.fsum(value * 2.0**-64 for value in values) * 2.0**64


_EMPTY = _Series(0)
