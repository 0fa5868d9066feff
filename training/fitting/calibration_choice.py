"""Which calibration: what gives later events of other entities the likelier probabilities.

Each kind is fitted five times on four fifths of the validation slice and tried on the last; events of one
entity are always in the same fifth. A kind with more freedom must win by more than its standard error. What
is chosen is fitted on the whole slice, and its reliability told by the scores of events it was not fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from streams.models.calibration import log_odds_of
from training.evaluation.reliability import BINS, bin_of
from training.fitting.calibration import beta, platt
from training.fitting.isotonic import isotonic
from training.fitting.logistic import log_loss, sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from feature_store.declaration.fitting import CalibrationChoice
    from streams.messages import Calibration
    from training.dataset.events import LabelledEvents

    Vector = NDArray[np.float64]

Kind = Literal["platt", "beta", "isotonic"]

_FITTERS: dict[Kind, Callable[[Vector, NDArray[np.bool_], Vector], Calibration]] = {
    "platt": platt,
    "beta": beta,
    "isotonic": isotonic,
}
"""From the least free to the freest."""
_FOLDS = 5
_LEAST_FRAUDS = 50
"""With fewer on the slice nothing can be told apart: Platt scaling."""


@dataclass(frozen=True)
class Chosen:
    """A calibration, its kind, and what was measured when it was chosen."""

    calibration: Calibration
    kind: Kind
    metrics: dict[str, float]


def choose_calibration(margin: Vector, events: LabelledEvents, wanted: CalibrationChoice) -> Chosen:
    """Calibrate ``margin`` on ``events``; with ``auto`` the kind is chosen by cross-fitted log loss."""
    fold = _folds(events)
    candidates: list[Kind] = list(_FITTERS) if wanted == "auto" else [wanted]
    if wanted == "auto" and (fold is None or events.frauds < _LEAST_FRAUDS):
        candidates = ["platt"]
    if fold is None:
        kind = candidates[0]
        return Chosen(_FITTERS[kind](margin, events.fraud, events.weight), kind, {})
    found = {kind: _cross_fitted(kind, margin, events, fold) for kind in candidates}
    losses = {each: log_loss(log_odds, events.fraud) for each, log_odds in found.items()}
    kind = _best(losses, events.weight)
    metrics = {
        f"calibration_log_loss_{each}": float(np.average(loss, weights=events.weight))
        for each, loss in losses.items()
    }
    return Chosen(
        _FITTERS[kind](margin, events.fraud, events.weight),
        kind,
        metrics | _reliability(sigmoid(found[kind]), events),
    )


def _folds(events: LabelledEvents) -> NDArray[np.int64] | None:
    """The fifth that each event is in, all of an entity in the same; None where one lacks a class."""
    shuffled = np.random.default_rng(len(events)).permutation(int(events.entity.max(initial=0)) + 1)
    fold: NDArray[np.int64] = shuffled[events.entity] % _FOLDS
    frauds = np.bincount(fold, events.fraud, _FOLDS)
    whole = np.bincount(fold, minlength=_FOLDS)
    return fold if np.all((frauds > 0) & (frauds < whole)) else None


def _cross_fitted(kind: Kind, margin: Vector, events: LabelledEvents, fold: NDArray[np.int64]) -> Vector:
    log_odds = np.empty(len(margin))
    for each in range(_FOLDS):
        inside, rest = fold == each, fold != each
        calibration = _FITTERS[kind](margin[rest], events.fraud[rest], events.weight[rest])
        log_odds[inside] = log_odds_of(margin[inside], calibration)
    return log_odds


def _best(losses: dict[Kind, Vector], weight: Vector) -> Kind:
    best = next(iter(losses))
    for kind, loss in losses.items():
        gain = weight * (losses[best] - loss)
        if gain.sum() > np.sqrt(len(gain)) * gain.std():
            best = kind
    return best


def _reliability(score: Vector, events: LabelledEvents) -> dict[str, float]:
    """What was said and what was true in ten bins of equal weight, and how far they are apart on average."""
    binned = bin_of(score, events.weight)
    weight = np.bincount(binned, events.weight, BINS)
    said = np.bincount(binned, events.weight * score, BINS)
    true = np.bincount(binned, events.weight * events.fraud, BINS)
    metrics = {"calibration_error": float(np.sum(np.abs(said - true)) / weight.sum())}
    for each in np.flatnonzero(weight):
        metrics[f"reliability_{each}_said"] = float(said[each] / weight[each])
        metrics[f"reliability_{each}_true"] = float(true[each] / weight[each])
    return metrics
