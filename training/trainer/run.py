"""One training run, from the files of its folder to a verdict.

1. Read the matured events with the labels known at ``as_of``, and split them in time.
2. Take the champion's side, and leave out what it was fitted on.
3. Refuse when there is too little to fit on or to judge by.
4. Fit on the older past, stop and calibrate on the newer past.
5. Put the challenger before the gate: against chance, and against the champion on the same events.

What is released is the fit that was judged, so ``fitted_until`` ends before the judged stretch begins.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from feature_store.errors import ContractError, MisfitError
from feature_store.units import to_text
from training.contract import (
    ARTIFACT,
    TrainingRequest,
    TrainingResult,
    load_request,
    save_result,
    write_atomically,
)
from training.dataset.events import LabelledEvents, read_labelled
from training.dataset.labels import WEIGHT_CAP, matured_until
from training.dataset.split import Split, split_in_time
from training.evaluation.ranking import effective_sample_size
from training.fitting.challenger import Challenger, fit_challenger
from training.gate import rules as gate
from training.gate.champion import ChampionSide, champion_side

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


class Tell(Protocol):
    """Who hears of progress."""

    def __call__(self, step: str, **numbers: float) -> None:
        """``step`` has been reached."""
        ...


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
    result, artifact = _verdict(folder, request, pipeline, tell)
    if artifact is not None:
        write_atomically(folder / ARTIFACT, artifact)
    result = msgspec.structs.replace(result, seconds=round(time.perf_counter() - started, 3))
    save_result(folder, result)
    tell(result.verdict, **result.metrics)
    return result


def _verdict(
    folder: Path, request: TrainingRequest, pipeline: Pipeline, tell: Tell
) -> tuple[TrainingResult, bytes | None]:
    spec = pipeline.training
    events = read_labelled(folder / request.snapshot, pipeline, request.as_of)
    tell("labelled", events=len(events), frauds=events.frauds)
    split = split_in_time(events, spec, matured_until(pipeline, request.as_of))
    champion, unfit = _champion(folder, request, split, pipeline)
    if champion is not None:
        split = _fair(split, champion)
    draft = _draft(request, split)
    if missing := gate.too_little(split, spec):
        return msgspec.structs.replace(draft, reasons=missing, too_little_data=True), None
    tell("split", fit=len(split.fit), validation=len(split.validation), judged=len(split.judged))

    challenger = fit_challenger(
        split, request, pipeline, lambda at, loss: tell("fitting", round=at, log_loss=loss)
    )
    tell("fitted", rounds=challenger.rounds)
    result, artifact = _before_the_gate(draft, split, challenger, champion, pipeline)
    return msgspec.structs.replace(result, reasons=[*result.reasons, *unfit]), artifact


def _champion(
    folder: Path, request: TrainingRequest, split: Split, pipeline: Pipeline
) -> tuple[ChampionSide | None, list[str]]:
    """The champion's side, or why there is none although one was released."""
    if request.champion is None:
        return None, []
    try:
        return champion_side(folder, request.champion, split.judged, pipeline.feature_vector), []
    except MisfitError as error:
        return None, [f"not compared with the champion, which no scorer can run any more: {error}"]


def _before_the_gate(
    draft: TrainingResult,
    split: Split,
    challenger: Challenger,
    champion: ChampionSide | None,
    pipeline: Pipeline,
) -> tuple[TrainingResult, bytes | None]:
    spec, judged = pipeline.training, split.judged
    margin = challenger.model.margins(judged.features)
    found = gate.judge(judged, margin, spec.seed)
    refused = gate.no_better_than_chance(challenger.on_validation, "the validation slice")
    refused += gate.no_better_than_chance(found, "the judged stretch")
    words = (
        f"average precision {found.average_precision:.3f} on {found.rows:,} judged events with "
        f"{found.frauds:,} frauds"
    )
    champion_metrics: dict[str, float] = {}
    if champion is not None:
        acting = gate.judge(judged, champion.margin, spec.seed)
        refused += gate.worse_than_champion(
            found.average_precision, acting.average_precision, champion.version, spec
        )
        champion_metrics = {**acting.as_metrics(), "live": float(champion.live)}
        how = "logged when it decided" if champion.live else "of its artifact on the same events"
        words += f"; the champion {champion.version} has {acting.average_precision:.3f} by the scores {how}"
    metrics = {
        **found.as_metrics(),
        **challenger.on_validation.as_metrics("validation_"),
        **_weight_metrics(split),
        "predicted_frauds": float(np.sum(challenger.model.scores(margin) * judged.weight)),
        "rounds": float(challenger.rounds),
    }
    result = msgspec.structs.replace(draft, metrics=metrics, champion_metrics=champion_metrics)
    if refused:
        return msgspec.structs.replace(result, reasons=refused), None
    manifest = msgspec.structs.replace(challenger.manifest, metrics=metrics)
    result = msgspec.structs.replace(result, verdict="passed", reasons=[words], manifest=manifest)
    return result, challenger.artifact


def _fair(split: Split, champion: ChampionSide) -> Split:
    """Keep the judged events that the champion was not fitted on."""
    judged = split.judged.where(champion.fair)
    if np.all(champion.fair) or len(judged) == 0:
        return replace(split, judged=judged)
    return replace(split, judged=judged, judged_from=int(judged.time[0]) - 1)


def _draft(request: TrainingRequest, split: Split) -> TrainingResult:
    return TrainingResult(
        run_id=request.run_id,
        verdict="refused",
        reasons=[],
        as_of=request.as_of,
        fitted_from=to_text(split.fitted_from),
        fitted_until=to_text(split.fitted_until),
        judged_from=to_text(split.judged_from),
        judged_until=to_text(split.judged_until),
        rows=len(split.fit) + len(split.validation),
        frauds=split.fit.frauds + split.validation.frauds,
    )


def _weight_metrics(split: Split) -> dict[str, float]:
    parts: list[LabelledEvents] = [split.fit, split.validation]
    weight = np.concatenate([part.weight for part in parts])
    return {
        "weight_cap": WEIGHT_CAP,
        "weights_capped": float(np.sum(weight >= WEIGHT_CAP)),
        "effective_fitted_rows": effective_sample_size(weight),
    }
