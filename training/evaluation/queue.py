"""Precision at review capacity: what people find who look at the most suspicious events of each day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.cards import DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ReviewQueue:
    """Events by day (UTC) and suspicion; sorted once, measured under many weights."""

    def __init__(
        self, fraud: NDArray[np.bool_], score: NDArray[np.float64], time: NDArray[np.int64], per_day: int
    ) -> None:
        """``time`` in us; ``per_day`` events are looked at each day."""
        day = time // DAY
        self._order = np.lexsort((-score, day))
        days, scores = day[self._order], score[self._order]
        another = np.ones(min(1, len(days)), bool)
        self._ends = np.flatnonzero(np.append((days[1:] != days[:-1]) | (scores[1:] != scores[:-1]), another))
        self._fraud = fraud[self._order].astype(np.float64)
        self._day = np.unique(days[self._ends], return_inverse=True)[1]
        self._first = np.searchsorted(self._day, self._day, side="left")
        self._per_day = per_day

    def precision(self, weight: NDArray[np.float64]) -> float:
        """The share of fraud, by weight, in the queues of all days together; NaN without events.

        The last of equal scores that fit are taken in part, so a row that stands for many events can be too.
        """
        ranked = weight[self._order]
        size = np.diff(np.cumsum(ranked)[self._ends], prepend=0.0)
        hits = np.diff(np.cumsum(ranked * self._fraud)[self._ends], prepend=0.0)
        before = np.cumsum(size) - size
        left = self._per_day - (before - before[self._first])
        taken = np.clip(left, 0.0, size)
        looked_at = float(np.sum(taken))
        if looked_at <= 0:
            return float("nan")
        share = np.divide(taken, size, out=np.zeros_like(size), where=size > 0)
        return float(np.sum(share * hits)) / looked_at
