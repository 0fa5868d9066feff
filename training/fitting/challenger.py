"""The challenger: fitted, calibrated, and loaded the way a worker will load it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_store.declaration.fitting import CompactionSpec
from feature_store.units import to_text
from streams.messages import ArtifactInfo
from streams.models.champion import load_champion
from streams.models.matching import match_features
from training.compaction.compact import compact
from training.fitting.algorithms import Plan, algorithm
from training.fitting.beginning import begin, known_before, notes_of
from training.fitting.calibration_choice import choose_calibration
from training.fitting.categories import check_categories
from training.fitting.device import training_device
from training.fitting.recipe import draft_manifest, recipe_of, write_recipe
from training.fitting.sampling import balancing_weight, sampled, weighing_frauds
from training.gate.judgement import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest, Recipe
    from streams.models.champion import Champion
    from training.compaction.figures import CompactionReport
    from training.contract import TrainingRequest
    from training.dataset.events import LabelledEvents
    from training.dataset.split import Split
    from training.fitting.calibration_choice import Chosen
    from training.gate.judgement import Judgement

    Report = Callable[[int, float], None]


def _nobody(_step: str, **_numbers: float) -> None:
    """Nobody hears of it."""


@dataclass(frozen=True)
class Challenger:
    """A fit that stands before the gate.

    ``model`` is the artifact as a worker loads it; ``on_validation`` is measured by the labels of the fit.
    ``metrics`` tell of the fit itself, ``notes`` in words of what could not be done as declared. ``start`` is
    the artifact that it began with, if it did.
    """

    artifact: bytes
    model: Champion
    rounds: int
    on_validation: Judgement
    metrics: dict[str, float] = field(default_factory=dict)
    start: bytes | None = None
    notes: list[str] = field(default_factory=list)
    compaction: CompactionReport | None = None

    @property
    def manifest(self) -> Manifest:
        """What will be published with the artifact; its metrics are added after the gate."""
        return self.model.manifest

    @property
    def recipe(self) -> Recipe:
        """How it was fitted."""
        return recipe_of(self.manifest)


def fit_challenger(
    split: Split,
    request: TrainingRequest,
    pipeline: Pipeline,
    report: Report,
    *,
    champion_artifact: bytes | None = None,
    champion_manifest: Manifest | None = None,
    tell: Callable[..., None] = _nobody,
) -> Challenger:
    """Fit on the older past, stop and calibrate on the newer.

    The champion's files are what a warm start begins with; ``tell`` hears of the search for parameters, where
    there is one: a step and numbers. Raises ConfigError for parameters that the library
    refuses, and for a device that is not there.
    """
    spec = pipeline.training
    if request.shuffle_labels:
        split = _with_shuffled_labels(split, spec.seed)
    beginning = begin(pipeline, champion_manifest, champion_artifact, on_disk=split.fit.on_disk)
    fit = sampled(split.fit, spec.sampling.legitimate)
    fraud_weight = balancing_weight(fit) if spec.sampling.balance else 1.0
    plan = _declared(pipeline, beginning.artifact)
    for part in (fit, split.validation):
        check_categories(part, plan.names, plan.categorical)
    weighed, judging = (weighing_frauds(part, fraud_weight) for part in (fit, split.validation))
    plan, tuning = _tuned(weighed, plan, request, pipeline, tell)
    fitted = algorithm(spec.algorithm).fit(weighed, judging, plan, report)
    smaller = compact(fitted.artifact, spec.algorithm, split.validation, spec.compaction, spec.seed)
    known = known_before(champion_manifest, split.validation) if beginning.artifact else 0.0
    recipe = write_recipe(spec, fitted, beginning.version, fraud_weight, smaller.dropped)
    draft = draft_manifest(smaller.artifact, split, request, pipeline, recipe)
    model = load_champion(draft, smaller.artifact, pipeline.feature_vector)
    margin = model.margins(split.validation.features)
    chosen = choose_calibration(margin, split.validation, spec.calibration)
    return Challenger(
        artifact=smaller.artifact,
        model=_calibrated(model, chosen),
        rounds=fitted.rounds,
        on_validation=judge(split.validation, margin, spec.seed),
        metrics=chosen.metrics
        | fitted.metrics
        | tuning
        | _sampling_metrics(fit, split, fraud_weight)
        | ({"validation_known": known} if beginning.artifact else {})
        | smaller.report.as_metrics(),
        compaction=smaller.report,
        start=beginning.artifact,
        notes=notes_of(beginning, known),
    )


def _declared(pipeline: Pipeline, start: bytes | None) -> Plan:
    """What to fit as it is declared, to begin with ``start``."""
    spec = pipeline.training
    return Plan(
        names=[feature.name for feature in pipeline.feature_vector],
        parameters=spec.parameters,
        seed=spec.seed,
        start=start,
        monotone=spec.monotone,
        categorical=spec.categorical,
        device=training_device(spec),
    )


def _tuned(
    fit: LabelledEvents, plan: Plan, request: TrainingRequest, pipeline: Pipeline, tell: Callable[..., None]
) -> tuple[Plan, dict[str, float]]:
    """The plan with what a search for parameters found, where there is one, and the metrics of the search."""
    if not pipeline.training.tuning.budget or request.shuffle_labels:
        return plan, {}
    from training.fitting.tuning import tune  # noqa: PLC0415  (loads Optuna)

    found = tune(fit, plan, request, pipeline, tell)
    return replace(plan, parameters={**found.parameters, **plan.parameters}), found.metrics


def _calibrated(model: Champion, chosen: Chosen) -> Champion:
    recipe = msgspec.structs.replace(recipe_of(model.manifest), calibration=chosen.kind)
    manifest = msgspec.structs.replace(model.manifest, calibration=chosen.calibration, recipe=recipe)
    return replace(model, manifest=manifest)


def _sampling_metrics(fit: LabelledEvents, split: Split, fraud_weight: float) -> dict[str, float]:
    metrics = {"fit_rows": float(len(split.fit))}
    if len(fit) < len(split.fit):
        metrics["fit_rows_sampled"] = float(len(fit))
    if fraud_weight != 1:
        metrics["fraud_weight"] = fraud_weight
    return metrics


def refit_challenger(
    challenger: Challenger,
    events: LabelledEvents,
    request: TrainingRequest,
    pipeline: Pipeline,
    report: Report,
) -> Challenger:
    """Fit the same again, on all of ``events``: parameters, rounds and calibration stay as they are."""
    artifact, model = refit_model(challenger.manifest, events, pipeline, report, start=challenger.start)
    manifest = msgspec.structs.replace(model.manifest, version=request.next_version)
    return replace(challenger, artifact=artifact, model=replace(model, manifest=manifest))


def refit_model(
    manifest: Manifest,
    events: LabelledEvents,
    pipeline: Pipeline,
    report: Report,
    *,
    start: bytes | None = None,
) -> tuple[bytes, Champion]:
    """A model's recipe fitted on ``events``, by the features that it reads, and loaded; no round is chosen.

    Without ``start`` a model that began with another's trees is fitted from nothing, to as many rounds.
    Raises ContractError where its manifest has no recipe, MisfitError for features that are not declared.
    """
    recipe, declared = recipe_of(manifest), pipeline.feature_vector
    positions = match_features(manifest, declared)
    chosen = sampled(events.to_fit(), recipe.legitimate).with_features(positions)
    plan = Plan(
        names=[feature.name for feature in manifest.features],
        parameters=recipe.parameters,
        seed=recipe.seed,
        rounds=recipe.rounds,
        start=start,
        monotone=recipe.monotone,
        categorical=tuple(recipe.categorical),
        device=training_device(pipeline.training),
    )
    fitted = algorithm(recipe.family).fit(weighing_frauds(chosen, recipe.fraud_weight), None, plan, report)
    artifact = compact(
        fitted.artifact,
        recipe.family,
        chosen,
        CompactionSpec(tolerance=recipe.tolerance),
        recipe.seed,
        dropped=tuple(recipe.dropped_trees),
    ).artifact
    again = msgspec.structs.replace(
        manifest,
        artifact=ArtifactInfo.of(artifact),
        fitted_from=to_text(int(events.time[0])),
        fitted_until=to_text(int(events.time[-1])),
        rows=len(events),
        frauds=events.frauds,
    )
    return artifact, load_champion(again, artifact, declared)


def _with_shuffled_labels(split: Split, seed: int) -> Split:
    """The same events with the labels of others: what is judged keeps the truth."""
    labels = np.concatenate((split.fit.fraud, split.validation.fraud))
    labels = np.random.default_rng(seed).permutation(labels)
    cut = len(split.fit)
    return replace(
        split,
        fit=replace(split.fit, fraud=labels[:cut]),
        validation=replace(split.validation, fraud=labels[cut:]),
    )
