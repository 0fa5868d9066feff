"""Exact TreeSHAP by a model's own library."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from feature_store.errors import ContractError
from streams.messages import ArtifactInfo
from streams.models.engine import loaded_xgboost
from streams.models.libraries import lightgbm, xgboost

if TYPE_CHECKING:
    from feature_store.expressions import Matrix
    from streams.messages import Manifest
    from streams.models.engine import Vector


class Attribution(NamedTuple):
    """Contributions in margin units, one column a feature; ``base`` is the margin without any."""

    base: Vector
    contributions: Matrix


class ExactModel:
    """A model version that explains itself, on one thread."""

    def __init__(self, manifest: Manifest, artifact: bytes) -> None:
        """Load it, and try it. Raises ContractError for an artifact that is not the manifest's, does not load
        or cannot explain itself: LightGBM's linear trees cannot.
        """
        if ArtifactInfo.of(artifact) != manifest.artifact:  # LightGBM has no defence against a damaged text
            raise ContractError(f"model {manifest.version}: the artifact is not the one of its manifest")
        self.manifest = manifest
        self.features = [feature.name for feature in manifest.features]
        try:
            self._booster = _loaded(manifest.family, artifact)
        except (lightgbm.basic.LightGBMError, xgboost.core.XGBoostError, UnicodeDecodeError) as error:
            raise ContractError(f"model {manifest.version} cannot be loaded: {error}") from error
        try:
            self.attribute(np.zeros((1, len(self.features))))
        except (lightgbm.basic.LightGBMError, xgboost.core.XGBoostError, ValueError) as error:
            why = str(error).splitlines()[0]
            raise ContractError(f"model {manifest.version} does not explain itself: {why}") from error

    def attribute(self, matrix: Matrix) -> Attribution:
        """Attribute the margin of every row; the columns are ``features``, NaN is missing."""
        found = (
            self._shap(np.ascontiguousarray(matrix)) if len(matrix) else np.zeros((0, matrix.shape[1] + 1))
        )
        return Attribution(found[:, -1], found[:, :-1])

    def _shap(self, matrix: Matrix) -> Matrix:
        if isinstance(self._booster, lightgbm.Booster):
            return np.asarray(self._booster.predict(matrix, pred_contrib=True, num_threads=1), np.float64)
        names, kinds = self._booster.feature_names, self._booster.feature_types
        rows = xgboost.DMatrix(
            matrix.astype(np.float32), feature_names=names, feature_types=kinds, nthread=1,
            enable_categorical=True,
        )  # fmt: skip
        return np.asarray(self._booster.predict(rows, pred_contribs=True), np.float64)


def _loaded(family: str, artifact: bytes) -> lightgbm.Booster | xgboost.Booster:
    if family == "lightgbm":
        return lightgbm.Booster(model_str=artifact.decode())
    return loaded_xgboost(artifact)
