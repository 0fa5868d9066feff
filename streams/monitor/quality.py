"""How good decisions were, once the truth is in: precision, recall, average precision.

Scores are kept as counts of frauds and legitimate events in bins of log-odds 1/64 apart, so memory does not
grow, and average precision is that of the scores rounded to those bins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from streams.monitor.arrays import Flags, Floats, Ints

_SPAN = 16.0  # log-odds beyond this are one bin
_PER_UNIT = 64
BINS = int(2 * _SPAN * _PER_UNIT)
NO_SCORE = -1

FRAUD, LEGITIMATE, UNKNOWN = 1, 0, -1


def score_bins(scores: Floats) -> Ints:
    """The bin of each probability, in the order of the scores; ``NO_SCORE`` where there is none."""
    known = ~np.isnan(scores)
    with np.errstate(divide="ignore"):
        odds = np.log(np.clip(scores[known], 0.0, 1.0)) - np.log1p(-np.clip(scores[known], 0.0, 1.0))
    bins = np.full(scores.shape, NO_SCORE, np.int64)
    bins[known] = np.clip((np.clip(odds, -_SPAN, _SPAN) + _SPAN) * _PER_UNIT, 0, BINS - 1).astype(np.int64)
    return bins


def average_precision(frauds: Ints, legitimate: Ints) -> float | None:
    """Area under precision over recall by steps, bins being tied scores; None without a fraud."""
    hits = np.cumsum(frauds[::-1])
    if not hits.size or hits[-1] == 0:
        return None
    flagged = hits + np.cumsum(legitimate[::-1])
    precision = hits / np.maximum(flagged, 1)
    return float(np.sum(frauds[::-1] * precision) / hits[-1])


class Quality:
    """Matured decisions of one model, one day, or all."""

    def __init__(self) -> None:
        self._by_score = np.zeros((2, BINS), np.int64)
        self._by_stop = np.zeros((2, 2), np.int64)  # label, stopped
        self._unlabelled = 0

    def add(self, labels: Ints, stopped: Flags, bins: Ints, weight: int = 1) -> None:
        """Count matured decisions, each for ``weight`` events.

        ``stopped``: what model and rules decided, before the control group. ``labels`` are FRAUD,
        LEGITIMATE or UNKNOWN: that one was stopped, its truth will never be seen, and it enters no figure
        but its own.
        """
        known = labels != UNKNOWN
        self._unlabelled += weight * int(np.count_nonzero(~known))
        np.add.at(self._by_stop, (labels[known], stopped[known].astype(np.int64)), weight)
        scored = known & (bins != NO_SCORE)
        np.add.at(self._by_score, (labels[scored], bins[scored]), weight)

    def status(self) -> dict[str, Any]:
        """Counts and figures; a figure that nothing defines yet is None."""
        (true_negatives, false_positives), (false_negatives, true_positives) = self._by_stop.tolist()
        frauds = true_positives + false_negatives
        area = average_precision(self._by_score[FRAUD], self._by_score[LEGITIMATE])
        return {
            "labelled": frauds + true_negatives + false_positives,
            "frauds": frauds,
            "unlabelled": self._unlabelled,
            "true_positives": true_positives,
            "false_positives": false_positives,
            "false_negatives": false_negatives,
            "true_negatives": true_negatives,
            "precision": _ratio(true_positives, true_positives + false_positives),
            "recall": _ratio(true_positives, frauds),
            "scored": int(self._by_score.sum()),
            "scored_frauds": int(self._by_score[FRAUD].sum()),
            "average_precision": None if area is None else round(area, 6),
        }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
