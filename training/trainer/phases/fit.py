"""Fit: the challenger, as it will be judged.

1. Fit on the older past; stop and calibrate on the newer past.
2. Refit on both, with parameters, number of trees and calibration as they are. That is what is judged, for so
   will be fitted what is released, with the judged stretch added. The champion was released so, too: judged
   against it with a fifth of the past left out, the newest, every challenger would look a little worse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from feature_store.units import from_text
from training.fitting.challenger import Challenger, fit_challenger, refit_challenger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from training.gate.champion import Acting
    from training.trainer.phases.prepare import Prepared
    from training.trainer.task import Task


_SEEN = (
    "not begun with the champion's trees: they were fitted on some of the judged events, and would be judged "
    "on what they know; judge on a stretch no longer than the time between two runs (training.judged)"
)


@dataclass(frozen=True)
class Fitted:
    """``validated`` has not seen the validation slice, ``challenger`` is what is judged.

    ``margin`` are the challenger's on the judged events.
    """

    validated: Challenger
    challenger: Challenger
    margin: NDArray[np.float64]

    @cached_property
    def score(self) -> NDArray[np.float64]:
        """The challenger's scores of the judged events."""
        return self.challenger.model.scores(self.margin)


def fit(task: Task, prepared: Prepared, acting: Acting | None = None) -> Fitted:
    """Fit, and fit again up to the cut; ``acting`` is what a warm start begins with.

    Raises ConfigError for refused parameters.
    """
    split = prepared.split
    task.tell("split", fit=len(split.fit), validation=len(split.validation), judged=len(split.judged))
    seen = acting is not None and from_text(acting.manifest.fitted_until) > split.judged_from
    start = None if seen else acting
    validated = fit_challenger(
        split,
        task.request,
        task.pipeline,
        task.fitting,
        champion_artifact=start.artifact if start else None,
        champion_manifest=start.manifest if start else None,
        tell=task.tell,
    )
    if seen and task.spec.warm_start:
        validated = replace(validated, notes=[_SEEN])
    task.tell("fitted", rounds=validated.rounds)
    challenger = validated
    if task.spec.gate.refit and not task.request.shuffle_labels:  # it would see the true labels
        past = prepared.past
        task.tell("refitting", events=len(past))
        challenger = refit_challenger(validated, past, task.request, task.pipeline, task.fitting)
    return Fitted(validated, challenger, challenger.model.margins(split.judged.features))
