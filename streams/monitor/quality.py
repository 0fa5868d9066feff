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

WEIGHT_CAP = 50.0
"""The cap that the trainer puts on its weights, so that its figures and these can be compared."""

FRAUD, LEGITIMATE, UNKNOWN = 1, 0, -1


def score_bins(scores: Floats) -> Ints:
    """The bin of each probability, in the order of the scores; ``NO_SCORE`` where there is none."""
    known = ~np.isnan(scores)
    with np.errstate(divide="ignore"):
        odds = np.log(np.clip(scores[known], 0.0, 1.0)) - np.log1p(-np.clip(scores[known], 0.0, 1.0))
    bins = np.full(scores.shape, NO_SCORE, np.int64)
    bins[known] = np.clip((np.clip(odds, -_SPAN, _SPAN) + _SPAN) * _PER_UNIT, 0, BINS - 1).astype(np.int64)
    return bins


def control_weights(stopped: Flags, through: Flags, propensity: Floats) -> Floats:
    """How many events of its kind each decision stands for where quality is measured.

    The control group, let through although model and rules would have stopped it, stands for those that were
    stopped: 1 / propensity, at most WEIGHT_CAP, so that one fraud among few does not drown the rest. What was
    stopped and might have been let through then stands for nothing, whatever was said about it: it is
    represented already.
    """
    weights = np.ones(stopped.shape)
    weights[stopped & ~through & (np.nan_to_num(propensity) > 0)] = 0.0
    control = stopped & through
    share = np.nan_to_num(propensity[control], nan=1.0)
    weights[control] = 1.0 / np.clip(share, 1.0 / WEIGHT_CAP, 1.0)
    return weights


def average_precision(frauds: Floats, legitimate: Floats) -> float | None:
    """Area under precision over recall by steps, bins being tied scores; None without a fraud.

    ``frauds`` and ``legitimate`` are the weight in each bin.
    """
    hits = np.cumsum(frauds[::-1])
    if not hits.size or hits[-1] == 0:
        return None
    flagged = hits + np.cumsum(legitimate[::-1])
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    return float(np.sum(frauds[::-1] * precision) / hits[-1])


class Quality:
    """Matured decisions of one model, one day, or all.

    Counts are counts of events; precision, recall and average precision weigh the control group, as the
    trainer does.
    """

    def __init__(self) -> None:
        self._by_score = np.zeros((2, BINS))  # label, bin
        self._by_stop = np.zeros((2, 2))  # label, stopped
        self._counts = np.zeros((2, 2), np.int64)  # label, stopped
        self._scored = np.zeros(2, np.int64)  # label
        self._unlabelled = 0

    def add(self, labels: Ints, stopped: Flags, bins: Ints, weights: Floats, sampled: int = 1) -> None:
        """Count matured decisions, each for as many events as one in the sample stands for.

        ``stopped``: what model and rules decided, before the control group. ``labels`` are FRAUD,
        LEGITIMATE or UNKNOWN: that one was stopped, its truth will never be seen, and it enters no figure
        but its own.
        """
        known = labels != UNKNOWN
        self._unlabelled += sampled * int(np.count_nonzero(~known))
        cell = (labels[known], stopped[known].astype(np.int64))
        np.add.at(self._counts, cell, sampled)
        np.add.at(self._by_stop, cell, sampled * weights[known])
        scored = known & (bins != NO_SCORE)
        np.add.at(self._scored, labels[scored], sampled)
        np.add.at(self._by_score, (labels[scored], bins[scored]), sampled * weights[scored])

    def status(self) -> dict[str, Any]:
        """Counts and figures; a figure that nothing defines yet is None."""
        (true_negatives, false_positives), (false_negatives, true_positives) = self._counts.tolist()
        (_, alarms), (missed, hits) = self._by_stop.tolist()
        area = average_precision(self._by_score[FRAUD], self._by_score[LEGITIMATE])
        return {
            "labelled": int(self._counts.sum()),
            "frauds": true_positives + false_negatives,
            "unlabelled": self._unlabelled,
            "true_positives": true_positives,
            "false_positives": false_positives,
            "false_negatives": false_negatives,
            "true_negatives": true_negatives,
            "precision": _ratio(hits, hits + alarms),
            "recall": _ratio(hits, hits + missed),
            "scored": int(self._scored.sum()),
            "scored_frauds": int(self._scored[FRAUD]),
            "average_precision": None if area is None else round(area, 6),
        }


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None
