"""How well a ranking finds fraud, with weights and ties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Curve:
    """What is found as ever milder scores are flagged, by weight; equal scores are one step.

    ``hits`` is the fraud and ``flagged`` all that has been flagged after each step.
    """

    hits: NDArray[np.float64]
    flagged: NDArray[np.float64]

    def average_precision(self) -> float:
        """The mean precision over the frauds found; NaN without fraud."""
        hits, flagged = self.hits, self.flagged
        if len(hits) == 0 or hits[-1] <= 0:
            return float("nan")
        precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
        return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])

    def roc_auc(self) -> float:
        """The chance that a fraud stands above a legitimate event; NaN without both."""
        hits, alarms = self.hits, self.flagged - self.hits
        if not self._has_both:
            return float("nan")
        rises = hits + np.concatenate(([0.0], hits[:-1]))
        return float(np.sum(np.diff(alarms, prepend=0.0) * rises) / (2 * hits[-1] * alarms[-1]))

    def recall_at(self, false_positive_rates: Sequence[float]) -> NDArray[np.float64]:
        """The share of fraud found while these shares of what is legitimate are flagged; NaN without both.

        Inside a step of equal scores, as many of its frauds are found as chance would find.
        """
        rates = np.asarray(false_positive_rates, np.float64)
        if not self._has_both:
            return np.full(len(rates), np.nan)
        hits, alarms = np.append(0.0, self.hits), np.append(0.0, self.flagged - self.hits)
        allowed = rates * alarms[-1]
        last = np.searchsorted(alarms, allowed, side="right") - 1
        following = np.minimum(last + 1, len(alarms) - 1)
        share = np.divide(
            allowed - alarms[last],
            alarms[following] - alarms[last],
            out=np.zeros_like(rates),
            where=following > last,
        )
        found: NDArray[np.float64] = (hits[last] + share * (hits[following] - hits[last])) / hits[-1]
        return found

    @property
    def _has_both(self) -> bool:
        return len(self.hits) > 0 and bool(0 < self.hits[-1] < self.flagged[-1])


class Ranking:
    """Events from the most to the least suspicious; sorted once, measured under many weights."""

    def __init__(self, fraud: NDArray[np.bool_], score: NDArray[np.float64]) -> None:
        self._order = np.argsort(-score, kind="stable")
        ranked = score[self._order]
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], np.ones(min(1, len(ranked)), bool)))
        self._fraud = fraud[self._order].astype(np.float64)

    def curve(self, weight: NDArray[np.float64]) -> Curve:
        """What is found from the top down."""
        ranked = weight[self._order]
        return Curve(np.cumsum(ranked * self._fraud)[self._ends], np.cumsum(ranked)[self._ends])

    def average_precision(self, weight: NDArray[np.float64]) -> float:
        """The mean precision over the frauds found, by weight; NaN without fraud."""
        return self.curve(weight).average_precision()

    def roc_auc(self, weight: NDArray[np.float64]) -> float:
        """The chance that a fraud stands above a legitimate event, by weight; NaN without both."""
        return self.curve(weight).roc_auc()


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
