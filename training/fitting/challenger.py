"""The challenger: fitted, calibrated, and loaded the way a worker will load it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_store.units import to_text
from streams.messages import ArtifactInfo, Calibration, FeatureRef, Manifest
from streams.models.champion import load_champion
from training.fitting.algorithms import algorithm
from training.fitting.calibration import platt
from training.gate.rules import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.models.champion import Champion
    from training.contract import TrainingRequest
    from training.dataset.split import Split
    from training.gate.rules import Judgement


@dataclass(frozen=True)
class Challenger:
    """A fit that stands before the gate.

    ``model`` is the artifact as a worker loads it; ``on_validation`` is measured by the labels of the fit.
    """

    artifact: bytes
    model: Champion
    rounds: int
    on_validation: Judgement

    @property
    def manifest(self) -> Manifest:
        """What will be published with the artifact; its metrics are added after the gate."""
        return self.model.manifest


def fit_challenger(
    split: Split, request: TrainingRequest, pipeline: Pipeline, report: Callable[[int, float], None]
) -> Challenger:
    """Fit on the older past, stop and calibrate on the newer. Raises ConfigError for refused parameters."""
    spec, declared = pipeline.training, pipeline.feature_vector
    if request.shuffle_labels:
        split = _with_shuffled_labels(split, spec.seed)
    fitted = algorithm(spec.algorithm).fit(
        split.fit,
        split.validation,
        [feature.name for feature in declared],
        spec.parameters,
        spec.seed,
        report,
    )
    draft = _manifest(fitted.artifact, split, request, pipeline)
    margin = load_champion(draft, fitted.artifact, declared).margins(split.validation.features)
    calibration = platt(margin, split.validation.fraud, split.validation.weight)
    manifest = msgspec.structs.replace(draft, calibration=calibration)
    return Challenger(
        artifact=fitted.artifact,
        model=load_champion(manifest, fitted.artifact, declared),
        rounds=fitted.rounds,
        on_validation=judge(split.validation, margin, spec.seed),
    )


def _manifest(artifact: bytes, split: Split, request: TrainingRequest, pipeline: Pipeline) -> Manifest:
    return Manifest(
        version=request.next_version,
        pipeline=pipeline.name,
        family=pipeline.training.algorithm,
        features=[FeatureRef(feature.name, feature.hash) for feature in pipeline.feature_vector],
        artifact=ArtifactInfo.of(artifact),
        calibration=Calibration(),
        trained_at=to_text(request.as_of),
        fitted_from=to_text(split.fitted_from),
        fitted_until=to_text(split.fitted_until),
        metrics={},
        rows=len(split.fit) + len(split.validation),
        frauds=split.fit.frauds + split.validation.frauds,
    )


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
