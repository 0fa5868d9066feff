"""A small fitted model with its manifest, for tests that need one to act."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.messages import Calibration, FeatureRef, Manifest
from streams.messages.model import ArtifactInfo
from streams.models.libraries import lightgbm

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


def small_model(pipeline: Pipeline, version: str, *, seed: int = 1) -> tuple[Manifest, bytes]:
    """A LightGBM model of the whole vector that calls large amounts fraud."""
    features = pipeline.feature_vector
    random = np.random.default_rng(seed)
    matrix = random.uniform(0, 1_000, (400, len(features)))
    labels = (matrix[:, 0] > 500).astype(float)
    parameters = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1, "seed": seed}
    booster = lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), num_boost_round=20)
    artifact = booster.model_to_string().encode()
    return manifest_of(pipeline, version, artifact), artifact


def counting_model(pipeline: Pipeline, version: str, feature: str) -> tuple[Manifest, bytes]:
    """A LightGBM model that calls more than four of what ``feature`` counts fraud."""
    vector = pipeline.feature_vector
    at = [each.name for each in vector].index(feature)
    matrix = np.random.default_rng(1).uniform(0, 10, (400, len(vector)))
    parameters = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1}
    data = lightgbm.Dataset(matrix, (matrix[:, at] > 4).astype(float))
    artifact = lightgbm.train(parameters, data, num_boost_round=60).model_to_string().encode()
    return manifest_of(pipeline, version, artifact), artifact


def manifest_of(pipeline: Pipeline, version: str, artifact: bytes) -> Manifest:
    """A manifest that fits ``artifact``."""
    return Manifest(
        version=version,
        pipeline=pipeline.name,
        family="lightgbm",
        features=[FeatureRef(feature.name, feature.hash) for feature in pipeline.feature_vector],
        artifact=ArtifactInfo.of(artifact),
        calibration=Calibration(),
        trained_at="2026-01-05T00:00:00Z",
        fitted_from="2026-01-01T00:00:00Z",
        fitted_until="2026-01-04T00:00:00Z",
        metrics={},
        rows=400,
        frauds=200,
    )
