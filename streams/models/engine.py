"""The two model families behind one call: a float matrix in, raw margins out, on one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import lightgbm
import numpy as np
import xgboost

from feature_store.errors import ContractError

if TYPE_CHECKING:
    from feature_store.expressions import Matrix

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


class Engine(Protocol):
    """A loaded model."""

    name: str
    """What computed the margin, as recorded with every decision."""

    features: int
    """How many columns it wants."""

    def margins(self, matrix: Matrix) -> Vector:
        """The raw output (log-odds) of every row; NaN in the matrix is missing."""
        ...


class LightGBMEngine:
    """LightGBM's own predictor. It has no defence against a damaged text: check the digest first."""

    name = "lightgbm"

    def __init__(self, artifact: bytes) -> None:
        self._booster = lightgbm.Booster(model_str=artifact.decode())
        self.features = int(self._booster.num_feature())

    def margins(self, matrix: Matrix) -> Vector:
        """Log-odds per row."""
        return np.asarray(self._booster.predict(matrix, raw_score=True, num_threads=1), np.float64)


class XGBoostEngine:
    """XGBoost's in-place predictor."""

    name = "xgboost"

    def __init__(self, artifact: bytes) -> None:
        self._booster = xgboost.Booster({"nthread": 1, "device": "cpu"})
        self._booster.load_model(bytearray(artifact))
        self.features = int(self._booster.num_features())

    def margins(self, matrix: Matrix) -> Vector:
        """Log-odds per row."""
        found = self._booster.inplace_predict(matrix.astype(np.float32), predict_type="margin")
        return np.asarray(found, np.float64)


def load_engine(family: str, artifact: bytes) -> Engine:
    """The engine for ``artifact``, whose digest was checked. Raises ContractError if it cannot be loaded."""
    engines: dict[str, type[LightGBMEngine | XGBoostEngine]] = {
        "lightgbm": LightGBMEngine,
        "xgboost": XGBoostEngine,
    }
    if family not in engines:
        raise ContractError(f"model family {family!r} is not known here")
    try:
        return engines[family](artifact)
    except (lightgbm.basic.LightGBMError, xgboost.core.XGBoostError, UnicodeDecodeError) as error:
        raise ContractError(f"the {family} artifact cannot be loaded: {error}") from error
