"""Reliability: of the events that were given a tenth, was a tenth fraud?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.operating import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.scored import Scored

BINS = 10


def bin_of(score: NDArray[np.float64], weight: NDArray[np.float64], bins: int = BINS) -> NDArray[np.int64]:
    """The bin of each event: bins of equal weight from the mildest score on, equal scores in the same one."""
    order = np.argsort(score, kind="stable")
    ranked, cumulated = score[order], np.cumsum(weight[order])
    if len(score) == 0 or cumulated[-1] <= 0:
        return np.zeros(len(score), np.int64)
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    upper = cumulated[ends]
    middle = (upper + np.append(0.0, upper[:-1])) / 2 / cumulated[-1]
    step = np.minimum((middle * bins).astype(np.int64), bins - 1)
    found = np.empty(len(score), np.int64)
    found[order] = np.repeat(step, np.diff(ends, prepend=-1))
    return found


def bin_summands(scored: Scored, binned: NDArray[np.int64], bins: int = BINS) -> NDArray[np.float64]:
    """What each event adds, unweighted, to the events, scores and frauds of each bin: (events, 3 * bins)."""
    added = np.zeros((len(scored), 3, bins))
    rows = np.arange(len(scored))
    for at, column in enumerate((np.ones(len(scored)), scored.score, scored.fraud)):
        added[rows, at, binned] = column
    return added.reshape(len(scored), 3 * bins)


@dataclass(frozen=True)
class Reliable:
    """By resample and bin: weight, mean score, share of fraud; by resample the expected calibration error.

    The error is the distance between mean score and share of fraud, averaged over the bins by weight.
    """

    weight: NDArray[np.float64]
    said: NDArray[np.float64]
    true: NDArray[np.float64]
    error: NDArray[np.float64]


def from_bin_sums(sums: NDArray[np.float64]) -> Reliable:
    """What weighted sums of ``bin_summands`` say, one row per resample; NaN in an empty bin."""
    weight, score, fraud = np.moveaxis(sums.reshape(len(sums), 3, -1), 1, 0)
    said, true = ratio(score, weight), ratio(fraud, weight)
    error = ratio(np.nansum(weight * np.abs(said - true), axis=1), np.sum(weight, axis=1))
    return Reliable(weight, said, true, error)
