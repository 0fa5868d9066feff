"""How a model was fitted, as its manifest keeps it: enough to fit it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import ContractError
from feature_store.units import to_text
from streams.messages import ArtifactInfo, Calibration, FeatureRef, Manifest, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.declaration.training import TrainingSpec
    from training.contract import TrainingRequest
    from training.dataset.split import Split
    from training.fitting.algorithms import Fitted


def recipe_of(manifest: Manifest) -> Recipe:
    """How a model was fitted. Raises ContractError for one that was published before this was recorded."""
    if manifest.recipe is None:
        raise ContractError(f"model {manifest.version}: its manifest does not say how it was fitted")
    return manifest.recipe


def write_recipe(
    spec: TrainingSpec, fitted: Fitted, begun_with: str | None, fraud_weight: float, dropped: Sequence[int]
) -> Recipe:
    """What a refit keeps to; which calibration was chosen is added when it is."""
    return Recipe(
        family=spec.algorithm,
        parameters=fitted.parameters,
        rounds=fitted.rounds,
        seed=spec.seed,
        monotone=dict(spec.monotone),
        categorical=list(spec.categorical),
        legitimate=spec.sampling.legitimate,
        fraud_weight=fraud_weight,
        begun_with=begun_with,
        dropped_trees=list(dropped),
        tolerance=spec.compaction.tolerance,
    )


def draft_manifest(
    artifact: bytes, split: Split, request: TrainingRequest, pipeline: Pipeline, recipe: Recipe
) -> Manifest:
    """The manifest of a fit that is not calibrated yet."""
    return Manifest(
        version=request.next_version,
        pipeline=pipeline.name,
        family=recipe.family,
        features=[FeatureRef(feature.name, feature.hash) for feature in pipeline.feature_vector],
        artifact=ArtifactInfo.of(artifact),
        calibration=Calibration(),
        trained_at=to_text(request.as_of),
        fitted_from=to_text(split.fitted_from),
        fitted_until=to_text(split.fitted_until),
        metrics={},
        rows=len(split.fit) + len(split.validation),
        frauds=split.fit.frauds + split.validation.frauds,
        recipe=recipe,
    )
