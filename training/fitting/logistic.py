"""Weighted logistic regression on a few columns, by Newton's method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

_STEPS = 50
_CLOSE = 1e-12
_SMALLEST = 1e-9  # of the matrix's diagonal, so that columns that say the same have a solution


def logistic(design: Vector, target: Vector, weight: Vector, penalty: Vector | None = None) -> Vector:
    """The coefficients of least weighted log loss; the last column of ``design`` is the constant.

    ``penalty`` is added for every squared coefficient. A step is halved until it improves.
    """
    ridge = np.zeros(design.shape[1]) if penalty is None else penalty
    share = float(np.average(target, weights=weight))
    found = np.append(np.zeros(design.shape[1] - 1), np.log(share / (1 - share)))

    def loss(at: Vector) -> float:
        margin = design @ at
        return float(np.sum(weight * (np.logaddexp(0.0, margin) - target * margin)) + ridge @ at**2)

    now = loss(found)
    for _ in range(_STEPS):
        probability = sigmoid(design @ found)
        gradient = design.T @ (weight * (probability - target)) + 2 * ridge * found
        curvature = weight * probability * (1 - probability)
        hessian = design.T @ (design * curvature[:, None]) + np.diag(2 * ridge + _SMALLEST)
        step = np.linalg.solve(hessian, gradient)
        while (ahead := loss(found - step)) > now and np.abs(step).max() > _CLOSE:
            step /= 2
        found = found - step
        if now - ahead <= _CLOSE * abs(now):
            break
        now = ahead
    return found


def sigmoid(margin: Vector) -> Vector:
    """1 / (1 + exp(-margin)), without overflow."""
    return np.exp(-np.logaddexp(0.0, -margin))


def log_loss(log_odds: Vector, fraud: NDArray[np.bool_]) -> Vector:
    """The log loss of each event."""
    return np.logaddexp(0.0, log_odds) - fraud * log_odds
