"""Fit: the challenger, as it will be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.fitting.challenger import Challenger, fit_challenger

if TYPE_CHECKING:
    from training.dataset.split import Split
    from training.gate.champion import Acting
    from training.trainer.task import Task


def fit(task: Task, split: Split, acting: Acting | None = None) -> Challenger:
    """Fit on the older past, stop and calibrate on the newer; ``acting`` is what a warm start begins with.

    Raises ConfigError for refused parameters.
    """
    task.tell("split", fit=len(split.fit), validation=len(split.validation), judged=len(split.judged))
    challenger = fit_challenger(
        split,
        task.request,
        task.pipeline,
        task.fitting,
        champion_artifact=acting.artifact if acting else None,
        champion_manifest=acting.manifest if acting else None,
    )
    task.tell("fitted", rounds=challenger.rounds)
    return challenger
