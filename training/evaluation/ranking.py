"""How well a ranking finds fraud, with weights and ties, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.dataset.labels import matured_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Ranking", "average_precision", "effective_sample_size", "matured_labels", "roc_auc"]


@dataclass(frozen=True)
class Bounds:
    """Lower bounds of average precision and area under the ROC curve, one-sided."""

    average_precision: float
    roc_auc: float


class Ranking:
    """Events from the most to the least suspicious; sorted once, measured under many weights."""

    def __init__(self, fraud: NDArray[np.bool_], score: NDArray[np.float64]) -> None:
        self._order = np.argsort(-score, kind="stable")
        ranked = score[self._order]
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], np.ones(min(1, len(ranked)), bool)))
        self._fraud = fraud[self._order].astype(np.float64)

    def average_precision(self, weight: NDArray[np.float64]) -> float:
        """The mean precision over the frauds found, by weight; NaN without fraud."""
        hits, flagged = self._cumulated(weight)
        if len(hits) == 0 or hits[-1] <= 0:
            return float("nan")
        precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
        return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])

    def roc_auc(self, weight: NDArray[np.float64]) -> float:
        """The chance that a fraud stands above a legitimate event, by weight; NaN without both."""
        hits, flagged = self._cumulated(weight)
        alarms = flagged - hits
        if len(hits) == 0 or hits[-1] <= 0 or alarms[-1] <= 0:
            return float("nan")
        rises = hits + np.concatenate(([0.0], hits[:-1]))
        return float(np.sum(np.diff(alarms, prepend=0.0) * rises) / (2 * hits[-1] * alarms[-1]))

    def lower_bounds(self, weight: NDArray[np.float64], seed: int, *, resamples: int = 200) -> Bounds:
        """What both measures reach in all but 5 % of bootstrap resamples of the events.

        A measure that some resample leaves undefined counts as 0 there.
        """
        found = np.array(
            [
                (self.average_precision(drawn), self.roc_auc(drawn))
                for drawn in _resampled(weight, seed, resamples)
            ]
        )
        low = np.quantile(np.nan_to_num(found), 0.05, axis=0)
        return Bounds(float(low[0]), float(low[1]))

    def _cumulated(self, weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ranked = weight[self._order]
        hits: NDArray[np.float64] = np.cumsum(ranked * self._fraud)[self._ends]
        flagged: NDArray[np.float64] = np.cumsum(ranked)[self._ends]
        return hits, flagged


def _resampled(weight: NDArray[np.float64], seed: int, resamples: int) -> Iterator[NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield weight * random.poisson(1.0, len(weight))


def average_precision(
    fraud: NDArray[np.bool_], score: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> float:
    """Average precision, by weight; ties count as one step. NaN without fraud."""
    return Ranking(fraud, score).average_precision(np.ones(len(fraud)) if weight is None else weight)


def roc_auc(
    fraud: NDArray[np.bool_], score: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> float:
    """Area under the ROC curve, by weight; ties count half. NaN without both classes."""
    return Ranking(fraud, score).roc_auc(np.ones(len(fraud)) if weight is None else weight)


def effective_sample_size(weight: NDArray[np.float64]) -> float:
    """How many events of equal weight say as much: (sum of w)^2 / sum of w^2."""
    squares = float(np.sum(weight**2))
    return float(np.sum(weight)) ** 2 / squares if squares else 0.0
