"""From margins to probabilities, keeping the order: Platt scaling and beta calibration.

Isotonic regression has its own module, and so has the choice between the three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.messages import Calibration
from training.fitting.logistic import logistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SLOPE = 1e-6
_BEND_PENALTY = 0.5  # on the difference of the two slopes: as if one had seen it to be 0, give or take 1


def platt(margin: NDArray[np.float64], fraud: NDArray[np.bool_], weight: NDArray[np.float64]) -> Calibration:
    """The slope and intercept that make ``margin`` a probability of fraud, by weighted maximum likelihood.

    Targets are Platt's (1999), a little short of 0 and 1, so that separable data keep a finite slope. A
    margin that does not rise with fraud gets the least slope: a nearly constant probability, the order kept.
    """
    centre, spread = float(np.mean(margin)), float(np.std(margin)) or 1.0
    target, ones = _targets(fraud, weight), np.ones(len(margin))
    slope, intercept = logistic(np.column_stack(((margin - centre) / spread, ones)), target, weight).tolist()
    if slope / spread < LEAST_SLOPE:
        _, intercept = logistic(np.column_stack((np.zeros(len(margin)), ones)), target, weight).tolist()
        return Calibration(LEAST_SLOPE, intercept - LEAST_SLOPE * centre)
    return Calibration(slope / spread, intercept - slope * centre / spread)


def beta(margin: NDArray[np.float64], fraud: NDArray[np.bool_], weight: NDArray[np.float64]) -> Calibration:
    """Kull's beta calibration (2017): one slope for margins above zero, another below, and an intercept.

    Where a slope would not rise, Platt scaling.
    """
    bend = np.logaddexp(0.0, margin) + np.logaddexp(0.0, -margin)
    design = np.column_stack((margin, bend, np.ones(len(margin))))
    penalty = np.array([0.0, _BEND_PENALTY, 0.0])
    slope, bent, intercept = logistic(design, _targets(fraud, weight), weight, penalty).tolist()
    if slope - abs(bent) < LEAST_SLOPE:
        return platt(margin, fraud, weight)
    return Calibration(slope + bent, intercept, slope_below=slope - bent)


def _targets(fraud: NDArray[np.bool_], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    frauds, others = float(weight[fraud].sum()), float(weight[~fraud].sum())
    return np.where(fraud, (frauds + 1) / (frauds + 2), 1 / (others + 2))
