"""Platt scaling: from margins to probabilities, keeping the order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.messages import Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 50
_LEAST_SLOPE = 1e-6
_CLOSE = 1e-12


def platt(margin: NDArray[np.float64], fraud: NDArray[np.bool_], weight: NDArray[np.float64]) -> Calibration:
    """The slope and intercept that make ``margin`` a probability of fraud, by weighted maximum likelihood.

    Targets are Platt's (1999), a little short of 0 and 1, so that separable data keep a finite slope. A
    margin that does not rise with fraud gets the least slope: a nearly constant probability, the order kept.
    """
    centre, spread = float(np.mean(margin)), float(np.std(margin)) or 1.0
    slope, intercept = _logistic((margin - centre) / spread, _targets(fraud, weight), weight)
    if slope / spread < _LEAST_SLOPE:
        _, intercept = _logistic(np.zeros(len(margin)), _targets(fraud, weight), weight)
        return Calibration(_LEAST_SLOPE, intercept - _LEAST_SLOPE * centre)
    return Calibration(slope / spread, intercept - slope * centre / spread)


def calibrated(margin: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """The scores of ``margin``."""
    return _sigmoid(calibration.slope * margin + calibration.intercept)


def _targets(fraud: NDArray[np.bool_], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    frauds, others = float(weight[fraud].sum()), float(weight[~fraud].sum())
    return np.where(fraud, (frauds + 1) / (frauds + 2), 1 / (others + 2))


def _logistic(
    x: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[float, float]:
    """Newton's method, a step halved until it improves; two parameters, so the matrix is 2 x 2."""
    design = np.column_stack((x, np.ones(len(x))))
    share = float(np.average(target, weights=weight))
    found = np.array([0.0, np.log(share / (1 - share))])
    loss = _loss(design @ found, target, weight)
    for _ in range(_STEPS):
        probability = _sigmoid(design @ found)
        gradient = design.T @ (weight * (probability - target))
        curvature = weight * probability * (1 - probability)
        hessian = design.T @ (design * curvature[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        while (ahead := _loss(design @ (found - step), target, weight)) > loss and np.abs(
            step
        ).max() > _CLOSE:
            step /= 2
        found = found - step
        if loss - ahead <= _CLOSE * abs(loss):
            break
        loss = ahead
    return float(found[0]), float(found[1])


def _loss(margin: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    return float(np.sum(weight * (np.logaddexp(0.0, margin) - target * margin)))


def _sigmoid(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0.0, -margin))
