"""What weights did: how many were capped, what they leave of the sample, what they could not make good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.declaration.decision import Action
from training.dataset.labels import WEIGHT_CAP
from training.evaluation.ranking import effective_sample_size

if TYPE_CHECKING:
    from training.dataset.events import LabelledEvents
    from training.dataset.split import Split


def weighting(split: Split) -> dict[str, float]:
    """The cap, how many weights it cut, the effective rows of the fit, and ``uncorrected`` judged events.

    The effective rows of the judged stretch stand beside its measures.
    """
    fitted = np.concatenate([split.fit.weight, split.validation.weight])
    return {
        "weight_cap": WEIGHT_CAP,
        "weights_capped": float(np.count_nonzero(split.judged.weight >= WEIGHT_CAP)),
        "fit_weights_capped": float(np.count_nonzero(fitted >= WEIGHT_CAP)),
        "effective_fitted_rows": effective_sample_size(fitted),
        "uncorrected": float(uncorrected(split.judged)),
    }


def uncorrected(judged: LabelledEvents) -> int:
    """How many judged events were stopped with no chance of being let through."""
    asked = judged.policy_action
    stopped = (asked.codes >= 0) & ~asked.equals(Action.APPROVE)
    return int(np.count_nonzero(stopped & (judged.propensity == 0)))


def said_of(judged: LabelledEvents) -> list[str]:
    """What must be known of measures on these events; empty where nothing must."""
    count = uncorrected(judged)
    if not count:
        return []
    what = (
        f"{count:,} of the {len(judged):,} judged events were stopped, and no control group stands for others"
    )
    return [f"{what} like them: measures lean towards what somebody chose to look at"]
