"""One training run, from the files of its folder to a verdict.

1. Prepare: read the matured events with the labels known at ``as_of``, and split them in time. Where there is
   too little to fit on or to judge by, the run ends here, refused.
2. Fit on the older past, stop and calibrate on the newer past; refit on both.
3. Judge: put the challenger before the gate, on a stretch that is later than all it was fitted on.
4. Refit what passed to everything matured, with nothing left to choose; it must agree with what was judged.
5. Draw the model card, and keep what is released, or what was refused with its reasons.

Each phase is a module of ``training.trainer.phases``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import ContractError
from training.contract import TrainingResult, load_request
from training.feature_bins import reference_of
from training.gate.champion import Acting
from training.gate.enough import too_little
from training.score_bins import bins_of
from training.trainer.phases.draw import draw
from training.trainer.phases.fit import fit
from training.trainer.phases.judge import judge_challenger
from training.trainer.phases.keep import keep
from training.trainer.phases.opponent import meet
from training.trainer.phases.prepare import prepare
from training.trainer.phases.refit import refit
from training.trainer.task import Task, Tell

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.fitting.challenger import Challenger
    from training.trainer.phases.verdict import Verdict

__all__ = ["Tell", "run_training"]


def run_training(folder: Path, pipeline: Pipeline, tell: Tell) -> TrainingResult:
    """Do what ``request.json`` asks; ``artifact`` is written if the gate passed, ``result.json`` last.

    Raises ContractError when request, snapshot or champion are not usable, ConfigError when the library
    refuses the declared parameters.
    """
    started = time.perf_counter()
    request = load_request(folder)
    if request.pipeline != pipeline.name:
        raise ContractError(
            f"{folder}: the request is for {request.pipeline!r}, the pipeline file is of {pipeline.name!r}"
        )
    result, candidate = _worked_off(Task(folder, request, pipeline, tell))
    result = msgspec.structs.replace(result, seconds=round(time.perf_counter() - started, 3))
    keep(folder, result, candidate)
    tell(result.verdict, **result.metrics)
    return result


def _worked_off(task: Task) -> tuple[TrainingResult, Challenger | None]:
    champion = task.request.champion
    acting = None if champion is None else Acting.read(task.folder, champion)
    prepared = prepare(task)
    draft = prepared.draft(task)
    if missing := too_little(prepared.split, task.spec):
        return msgspec.structs.replace(draft, reasons=missing, too_little_data=True), None
    opponent, notes = meet(task, prepared, acting)
    fitted = fit(task, prepared, acting)
    verdict = judge_challenger(task, prepared.split, fitted, opponent, notes)
    challenger = candidate = fitted.challenger
    if not verdict.refusals and task.spec.gate.refit:
        refitted = refit(task, prepared, fitted)
        verdict, candidate = verdict.and_also(refitted.checks, refitted.metrics), refitted.candidate
    result = _told(draft, verdict)
    if not verdict.refusals:
        judged = prepared.split.judged
        bins = bins_of(fitted.score, judged.weight)
        columns = candidate.manifest.features
        manifest = msgspec.structs.replace(
            candidate.manifest,
            metrics=verdict.metrics,
            score_bins=bins,
            feature_bins=reference_of(
                task.pipeline, columns, prepared.matured, judged, bins, fitted.score, prepared.oldest
            ),
        )
        result = msgspec.structs.replace(result, verdict="passed", manifest=manifest)
    draw(task, prepared, fitted, opponent, result)
    return result, challenger if verdict.refusals else candidate


def _told(draft: TrainingResult, verdict: Verdict) -> TrainingResult:
    return msgspec.structs.replace(
        draft,
        reasons=verdict.reasons,
        checks=verdict.checks,
        metrics=verdict.metrics,
        champion_metrics=verdict.champion_metrics,
    )
