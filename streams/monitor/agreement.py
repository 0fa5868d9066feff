"""Would a shadow stop the same events as the champion?

Of the newest events that both have scored: as many as were stopped, taken from the top of each one's scores.
Probabilities of two models need no common scale for that, nor the same thresholds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from feature_store.declaration.monitoring import AgreementSpec
    from streams.monitor.arrays import Flags, Floats
    from streams.monitor.releases import Acting

NEWEST = 20_000
_DIGITS = 6
_ERRORS = 2.0  # standard errors


class Pairs:
    """The newest scores of the champion and one shadow, and whether the event was stopped."""

    def __init__(self) -> None:
        self._rows = np.empty((NEWEST, 3))
        self._next = 0
        self._events = 0

    def add(self, champion: float, shadow: float, *, stopped: bool) -> None:
        """Remember one event, in place of the oldest."""
        self._rows[self._next] = champion, shadow, stopped
        self._next = (self._next + 1) % NEWEST
        self._events += 1

    def columns(self) -> tuple[Floats, Floats, Flags]:
        """The champion's scores, the shadow's, and which events were stopped."""
        rows = self._rows[: min(self._events, NEWEST)]
        return rows[:, 0], rows[:, 1], rows[:, 2] > 0


class Agreement:
    """Pairs per shadow of the present release."""

    def __init__(self, spec: AgreementSpec) -> None:
        self._spec = spec
        self._champion: str | None = None
        self._pairs: dict[str, Pairs] = {}

    def under(self, acting: Acting) -> None:
        """Forget what the release does without; a new champion begins anew."""
        champion = None if acting.champion is None else acting.champion.version
        if champion != self._champion:
            self._champion, self._pairs = champion, {}
        self._pairs = {shadow: self._pairs.get(shadow, Pairs()) for shadow in acting.shadows}

    def begin_anew(self) -> None:
        """Forget all events: they will be read once more."""
        self._pairs = {shadow: Pairs() for shadow in self._pairs}

    def add(self, model: str | None, score: float, shadows: dict[str, float], *, stopped: bool) -> None:
        """Count an event that ``model`` decided with ``score``, and what shadows said of it."""
        if model != self._champion:
            return
        for shadow, its in shadows.items():
            if shadow in self._pairs:
                self._pairs[shadow].add(score, its, stopped=stopped)

    def status(self) -> list[dict[str, Any]]:
        """One entry per shadow."""
        return [self._told(shadow, pairs) for shadow, pairs in self._pairs.items()]

    def _told(self, shadow: str, pairs: Pairs) -> dict[str, Any]:
        champion, its, stopped = pairs.columns()
        taken = int(stopped.sum())
        told: dict[str, Any] = {
            "shadow": shadow,
            "champion": self._champion,
            "events": len(champion),
            "stopped": taken,
            "overlap": None,
            "mean_difference": round(float(np.mean(its - champion)), _DIGITS) if len(champion) else None,
            "rank_correlation": _rank_correlation(champion, its),
            "state": "too_little",
        }
        if not taken:
            return told
        overlap = len(np.intersect1d(_highest(champion, taken), _highest(its, taken))) / taken
        told["overlap"] = round(overlap, _DIGITS)
        if taken >= self._spec.least:
            told["state"] = self._state(overlap, taken)
        return told

    def _state(self, overlap: float, taken: int) -> str:
        bound = self._spec.overlap
        if bound is None:
            return "good"
        error = _ERRORS * math.sqrt(overlap * (1 - overlap) / taken)
        if overlap + error < bound:
            return "bad"
        return "good" if overlap - error >= bound else "between"


def _highest(scores: Floats, count: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    return np.argpartition(scores, len(scores) - count)[len(scores) - count :]


def _rank_correlation(one: Floats, other: Floats) -> float | None:
    """Spearman's, ties in any order; None where nothing varies."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:  # noqa: PLR2004
        return None
    ranks = [np.argsort(np.argsort(scores)) for scores in (one, other)]
    return round(float(np.corrcoef(ranks[0], ranks[1])[0, 1]), _DIGITS)
