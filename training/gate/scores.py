"""Do the scores mean what they say, and do they lie where they did?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.contract import Check

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.gate import GateSpec
    from training.dataset.events import LabelledEvents

MISCALIBRATED = "miscalibrated"
SHIFTED = "scores_shifted"
_SURELY = 2.0
_EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Quantiles of the reference that bound the bins: finer at the top, where decisions are made."""


def calibrated(
    events: LabelledEvents, score: NDArray[np.float64], spec: GateSpec
) -> tuple[list[Check], float]:
    """Whether the scores add up to as many frauds as there were, and the ratio of the two.

    Luck is allowed for: the ratio must be surely beyond the declared factor.
    """
    predicted = float(np.sum(score * events.weight))
    observed = float(np.sum(events.fraud * events.weight))
    ratio = predicted / observed
    if spec.calibration is None:
        return [], ratio
    error = _SURELY * np.sqrt(np.sum((events.fraud * events.weight) ** 2)) / observed
    return [
        Check(
            MISCALIBRATED,
            bool(ratio > 0 and abs(np.log(ratio)) - error <= np.log(spec.calibration)),
            f"its scores add up to {predicted:,.1f} frauds on the judged stretch, which has {observed:,.1f}; "
            f"training.gate.calibration lets them differ {spec.calibration:g}-fold",
        )
    ], ratio


def shift(reference: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Population stability index of ``found`` against ``reference``: 0 is equal, 0.25 much by custom.

    Bins that are empty on one side count as half an event, so that the index is finite.
    """
    edges = np.unique(np.quantile(reference, _EDGES))
    shares = []
    for values in (reference, found):
        counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
        shares.append(np.maximum(counts, 0.5) / max(len(values), 1))
    before, after = shares
    return float(np.sum((after - before) * np.log(after / before)))


def steady(found: float, most: float | None, where: str, setting: str) -> list[Check]:
    """Whether the scores lie where they should; ``setting`` is where the most is declared."""
    if most is None:
        return []
    return [
        Check(
            SHIFTED,
            found <= most,
            f"its scores have a population stability index of {found:.2f} {where}; {setting} allows {most:g}",
        )
    ]
