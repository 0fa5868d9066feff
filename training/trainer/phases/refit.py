"""Refit: the same parameters and as many trees, on everything matured, the judged stretch included.

Nothing is chosen here, so nothing needs to be judged again; but that the refit says the same is checked, and
that it costs no more than it may.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_store.units import to_text
from training.fitting.challenger import refit_challenger
from training.gate import cost
from training.gate.agreement import agree

if TYPE_CHECKING:
    from training.contract import Check
    from training.fitting.challenger import Challenger
    from training.trainer.phases.fit import Fitted
    from training.trainer.phases.prepare import Prepared
    from training.trainer.task import Task


@dataclass(frozen=True)
class Refitted:
    """What would be released, and whether it may be."""

    candidate: Challenger
    checks: list[Check]
    metrics: dict[str, float]


def refit(task: Task, prepared: Prepared, fitted: Fitted) -> Refitted:
    """Fit what passed to all matured events, and compare."""
    split, challenger = prepared.split, fitted.challenger
    everything = prepared.matured
    task.tell("refitting", events=len(everything))
    candidate = refit_challenger(challenger, everything, task.request, task.pipeline, task.fitting)
    candidate = _until(candidate, split.judged_until)
    validated, judged = split.validation.features, split.judged.features
    said = [challenger.model.scores(challenger.model.margins(validated)), fitted.score]
    again = [candidate.model.scores(candidate.model.margins(part)) for part in (validated, judged)]
    checks, metrics = agree(np.concatenate(said), np.concatenate(again), task.spec.gate.agreement)
    price = cost.cost_of(candidate.model, candidate.artifact, judged)
    return Refitted(candidate, checks + cost.affordable(price, task.spec.gate.cost), {**price, **metrics})


def _until(candidate: Challenger, matured_until: int) -> Challenger:
    """Its fit reaches to where events are matured, even where the last of them is older."""
    manifest = msgspec.structs.replace(candidate.manifest, fitted_until=to_text(matured_until))
    return replace(candidate, model=replace(candidate.model, manifest=manifest))
