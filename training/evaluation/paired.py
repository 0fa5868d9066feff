"""Two models on the same events: is one surely better, or is it luck?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from training.evaluation.ranking import Ranking
from training.evaluation.resampling import CONFIDENCE, RESAMPLES, EntityResamples, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

PairedMeasure = Literal["average_precision", "roc_auc"]


@dataclass(frozen=True)
class Paired:
    """A difference of a measure, ours minus theirs, and the interval around it.

    ``low`` and ``high`` are NaN where most resamples leave the measure undefined; nothing is sure then.
    """

    ours: float
    theirs: float
    difference: float
    low: float
    high: float

    def surely_worse(self, by: float = 0.0) -> bool:
        """The whole interval lies more than ``by`` below theirs."""
        return self.high < -by


def paired_bootstrap(
    fraud: NDArray[np.bool_],
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    weight: NDArray[np.float64],
    entity: NDArray[np.int64],
    seed: int,
    resamples: int = RESAMPLES,
    measure: PairedMeasure = "average_precision",
    confidence: float = CONFIDENCE,
) -> Paired:
    """Compare two scores of the same events, with entities resampled; both are measured on every resample.

    What luck gives or takes from both at once, an easy week or a lucky draw of frauds, cancels in the
    difference: its interval is much narrower than two intervals side by side suggest.
    """
    rankings = Ranking(fraud, ours), Ranking(fraud, theirs)
    found = [_measured(ranking, measure, weight) for ranking in rankings]
    drawn = np.array(
        [
            [_measured(ranking, measure, drawn) for ranking in rankings]
            for drawn in EntityResamples(entity, seed, resamples).weights(weight)
        ]
    )
    low, high = interval(drawn[:, 0] - drawn[:, 1], found[0] - found[1], confidence)
    return Paired(found[0], found[1], found[0] - found[1], float(low), float(high))


def _measured(ranking: Ranking, measure: PairedMeasure, weight: NDArray[np.float64]) -> float:
    return ranking.average_precision(weight) if measure == "average_precision" else ranking.roc_auc(weight)
