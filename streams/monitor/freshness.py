"""Is anything coming, and is what comes decided? Both in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.declaration.monitoring import FreshnessSpec
    from streams.kafka import Lag
    from streams.monitor.arrays import Ints

_DAY = 86_400_000_000
_SLOT = 300_000_000
_SLOTS_A_DAY = _DAY // _SLOT
_DAYS = 7
_EXPECTED = 20.0
"""Decisions that would have been there: with so many none at all is no chance (e**-20)."""

_MARKS = 10
"""Records on a partition that may be no events: marks of transactions that ended."""


class Silence:
    """No decisions, although there would have been some by the week before."""

    def __init__(self, allowed: int | None) -> None:
        self._allowed = allowed
        self._counts: dict[int, int] = {}
        self._first: int | None = None
        self._newest = 0

    def add(self, written_at: int, count: int) -> None:
        """Count decisions that were written at ``written_at`` (us, Kafka's own time)."""
        slot = written_at // _SLOT
        self._first = slot if self._first is None else min(self._first, slot)
        self._newest = max(self._newest, written_at)
        self._counts[slot] = self._counts.get(slot, 0) + count
        if len(self._counts) > 2 * _DAYS * _SLOTS_A_DAY:
            oldest = self._newest // _SLOT - (_DAYS + 1) * _SLOTS_A_DAY
            self._counts = {each: kept for each, kept in self._counts.items() if each >= oldest}

    def status(self, now: int) -> dict[str, Any]:
        """How long it has been silent at ``now`` (us, real time), and how many decisions are missed."""
        if self._first is None:
            return {"state": "unknown", "for_s": None, "expected": None}
        silent, expected = max(now - self._newest, 0), self._expected(now)
        told = {"for_s": round(silent / 1e6, 3), "expected": None if expected is None else round(expected, 1)}
        return told | {"state": self._state(silent, expected)}

    def _state(self, silent: int, expected: float | None) -> str:
        if self._allowed is None or expected is None:
            return "unknown"
        if silent >= self._allowed and expected >= _EXPECTED:
            return "bad"
        return "good" if 2 * silent < self._allowed else "between"

    def _expected(self, now: int) -> float | None:
        """By the days before at this hour: their median, or the same day of the week where that was less."""
        begin, end = self._newest // _SLOT + 1, now // _SLOT
        days = min(_DAYS, (begin - (self._first or 0)) // _SLOTS_A_DAY)
        if days < 1:
            return None
        silent = range(begin, min(end, begin + _SLOTS_A_DAY))
        usual = [
            float(sum(self._counts.get(slot - back * _SLOTS_A_DAY, 0) for slot in silent))
            for back in range(1, days + 1)
        ]
        return min(float(np.median(usual)), usual[-1]) if days == _DAYS else float(np.median(usual))


class Behind:
    """Events that wait, and partitions on which none was decided for too long."""

    def __init__(self, allowed: int | None) -> None:
        self._allowed = allowed
        self._moved: dict[int, tuple[int, float]] = {}
        self._found: dict[str, Any] = {"state": "unknown", "waiting": None, "stuck": 0, "for_s": None}

    def add(self, lag: Mapping[int, Lag], now_s: float) -> None:
        """Where the scorers stand at ``now_s`` (seconds of a clock that only goes forward)."""
        longest, stuck = 0.0, 0
        for partition, at in lag.items():
            committed, since = self._moved.get(partition, (-1, now_s))
            if at.committed != committed or at.records <= _MARKS:
                since = now_s
            self._moved[partition] = at.committed, since
            longest = max(longest, now_s - since)
            stuck += self._allowed is not None and now_s - since >= self._allowed / 1e6
        self._found = {
            "state": self._state(longest, stuck),
            "waiting": sum(at.records for at in lag.values() if at.records > _MARKS),
            "stuck": stuck,
            "for_s": round(longest, 3),
        }

    def status(self) -> dict[str, Any]:
        """What was found last."""
        return self._found

    def _state(self, longest: float, stuck: int) -> str:
        if self._allowed is None:
            return "unknown"
        if stuck:
            return "bad"
        return "good" if 2 * longest < self._allowed / 1e6 else "between"


class Freshness:
    """Both, for one pipeline."""

    def __init__(self, spec: FreshnessSpec, *, by_the_wall: bool) -> None:
        """On the stream clock (not ``by_the_wall``) nobody can say when something should come."""
        self._silence = Silence(spec.silence if by_the_wall else None)
        self.behind = Behind(spec.behind)

    def add(self, written_at: Ints) -> None:
        """Count decisions, which were written together."""
        if written_at.size:
            self._silence.add(int(written_at[0]), written_at.size)

    def status(self, now: int) -> dict[str, Any]:
        """The figures at ``now`` (us, real time)."""
        return {"silence": self._silence.status(now), "behind": self.behind.status()}
