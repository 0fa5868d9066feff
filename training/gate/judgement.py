"""How one model ranks one set of events, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.ranking import Ranking, effective_sample_size
from training.evaluation.resampling import EntityResamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.dataset.events import LabelledEvents

RESAMPLES = 200
_TAIL = 0.05


@dataclass(frozen=True)
class Judgement:
    """How one model ranks one set of events.

    Each low value is reached in all but 5 % of resamples of the entities, each high one passed in 5 % only.
    """

    average_precision: float
    average_precision_low: float
    average_precision_high: float
    roc_auc: float
    roc_auc_low: float
    roc_auc_high: float
    prevalence: float
    rows: int
    frauds: int
    effective_rows: float

    def as_metrics(self, prefix: str = "") -> dict[str, float]:
        """As a manifest holds it; a measure that is undefined is left out."""
        values = {f"{prefix}{name}": float(getattr(self, name)) for name in self.__dataclass_fields__}
        return {name: value for name, value in values.items() if np.isfinite(value)}


def judge(events: LabelledEvents, margin: NDArray[np.float64], seed: int) -> Judgement:
    """Measure the ranking by ``margin``. A measure that a resample leaves undefined counts as 0 there."""
    ranking = Ranking(events.fraud, margin)
    whole = ranking.curve(events.weight)
    drawn = EntityResamples(events.entity, seed, RESAMPLES).weights(events.weight)
    curves = (ranking.curve(each) for each in drawn)
    found = np.array([(curve.average_precision(), curve.roc_auc()) for curve in curves])
    low, high = np.quantile(np.nan_to_num(found), [_TAIL, 1 - _TAIL], axis=0)
    return Judgement(
        average_precision=whole.average_precision(),
        average_precision_low=float(low[0]),
        average_precision_high=float(high[0]),
        roc_auc=whole.roc_auc(),
        roc_auc_low=float(low[1]),
        roc_auc_high=float(high[1]),
        prevalence=float(np.average(events.fraud, weights=events.weight)) if len(events) else float("nan"),
        rows=len(events),
        frauds=events.frauds,
        effective_rows=effective_sample_size(events.weight),
    )
