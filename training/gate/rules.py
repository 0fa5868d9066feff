"""The gate: what a challenger must show before it acts, and the words that say why it did not.

1. Enough data: events and frauds to fit on, frauds to judge by.
2. Better than chance, twice: on the validation slice by the labels of the fit, and on the judged stretch. The
   first is what catches labels without meaning: a fit on noise cannot rank noise that it has not seen, but it
   may well rank true fraud, because almost any function of the amount does a little. Of 150 fits to shuffled
   labels of the handbook's data the second alone let 17 pass, both together none; with true labels they
   refused one of 150.
3. Not worse than the champion, on events that neither was fitted on, by the declared tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.ranking import Ranking, effective_sample_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.training import TrainingSpec
    from training.dataset.events import LabelledEvents
    from training.dataset.split import Split

LIFT = 2.0
"""Average precision, in all but 5 % of resamples, must be this many times the share of fraud."""


@dataclass(frozen=True)
class Judgement:
    """How one model ranks one set of events. The low values are bounds over bootstrap resamples."""

    average_precision: float
    average_precision_low: float
    roc_auc: float
    roc_auc_low: float
    prevalence: float
    rows: int
    frauds: int
    effective_rows: float

    def as_metrics(self, prefix: str = "") -> dict[str, float]:
        """As a manifest holds it; a measure that is undefined is left out."""
        values = {f"{prefix}{name}": float(getattr(self, name)) for name in self.__dataclass_fields__}
        return {name: value for name, value in values.items() if np.isfinite(value)}


def judge(events: LabelledEvents, margin: NDArray[np.float64], seed: int) -> Judgement:
    """Measure the ranking by ``margin``."""
    ranking = Ranking(events.fraud, margin)
    low = ranking.lower_bounds(events.weight, seed)
    return Judgement(
        average_precision=ranking.average_precision(events.weight),
        average_precision_low=low.average_precision,
        roc_auc=ranking.roc_auc(events.weight),
        roc_auc_low=low.roc_auc,
        prevalence=float(np.average(events.fraud, weights=events.weight)) if len(events) else float("nan"),
        rows=len(events),
        frauds=events.frauds,
        effective_rows=effective_sample_size(events.weight),
    )


def too_little(split: Split, spec: TrainingSpec) -> list[str]:
    """What is missing before anything can be fitted or judged; empty when nothing is."""
    rows, frauds = len(split.fit) + len(split.validation), split.fit.frauds + split.validation.frauds
    missing = []
    if rows < spec.min_events:
        missing.append(
            f"too_few_events: {rows:,} matured, labelled events to fit on, training.min_events asks for "
            f"{spec.min_events:,}"
        )
    if frauds < spec.min_frauds:
        missing.append(
            f"too_few_frauds: {frauds:,} matured frauds to fit on, training.min_frauds asks for "
            f"{spec.min_frauds:,}"
        )
    missing += _too_few_judged(split.judged, spec)
    if not missing:
        missing = [
            f"one_sided: {name} has {part.frauds:,} frauds among {len(part):,} events, and needs both kinds"
            for name, part in (("the fitted slice", split.fit), ("the validation slice", split.validation))
            if not 0 < part.frauds < len(part)
        ]
    return missing


def _too_few_judged(judged: LabelledEvents, spec: TrainingSpec) -> list[str]:
    if judged.frauds < spec.gate.min_frauds:
        found = f"{judged.frauds:,} frauds among {len(judged):,} judged events"
        return [f"too_few_judged_frauds: {found}, training.gate.min_frauds asks for {spec.gate.min_frauds:,}"]
    if judged.frauds == len(judged):
        return [f"one_sided: all {len(judged):,} judged events are frauds"]
    return []


def no_better_than_chance(found: Judgement, where: str) -> list[str]:
    """Why this ranking could be luck; empty when it could not."""
    reasons = []
    if not found.average_precision_low > LIFT * found.prevalence:
        reasons.append(
            f"no_better_than_chance: on {where} average precision is {found.average_precision:.3f}, surely "
            f"above {found.average_precision_low:.3f} only; {LIFT:g} times the share of fraud, "
            f"{LIFT * found.prevalence:.3f}, is asked for"
        )
    if not found.roc_auc_low > 0.5:  # noqa: PLR2004  (a coin's)
        reasons.append(
            f"no_better_than_chance: on {where} the area under the ROC curve is {found.roc_auc:.3f}, surely "
            f"above {found.roc_auc_low:.3f} only; a coin has 0.5"
        )
    return reasons


def worse_than_champion(challenger: float, champion: float, version: str, spec: TrainingSpec) -> list[str]:
    """Compare average precisions measured on the same events."""
    tolerance = spec.gate.average_precision_tolerance
    if challenger >= champion - tolerance:
        return []
    acting = (
        f"the champion {version} has {champion:.3f} on the same events, and {tolerance:g} less is tolerated"
    )
    return [f"worse_than_champion: average precision {challenger:.3f}; {acting}"]
