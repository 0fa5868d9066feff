"""What computes margins, behind one call; and the model libraries' own predictors, on one thread."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from feature_store.errors import ContractError
from streams.models.libraries import lightgbm, xgboost
from streams.models.trees.lightgbm_text import read_lightgbm
from streams.models.trees.xgboost_json import read_xgboost

if TYPE_CHECKING:
    from feature_store.expressions import Matrix
    from streams.models.trees.splits import Splits

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Family = Literal["lightgbm", "xgboost"]


class Engine(Protocol):
    """A loaded model."""

    name: str
    """What computed the margin, as recorded with every decision: ``lightgbm-packed``, ``xgboost-packed``, the
    libraries' own ``lightgbm`` and ``xgboost``, or ``xgboost-cuda``."""

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

    def splits(self, artifact: bytes) -> Splits:
        """What the packed form is made of. Raises UnpackableError."""
        return read_lightgbm(artifact)


def loaded_xgboost(artifact: bytes) -> xgboost.Booster:
    """The booster in ``artifact``, UBJSON or JSON, on one thread of the CPU."""
    booster = xgboost.Booster({"nthread": 1, "device": "cpu"})
    booster.load_model(bytearray(artifact))
    return booster


class XGBoostEngine:
    """XGBoost's in-place predictor."""

    name = "xgboost"

    def __init__(self, artifact: bytes) -> None:
        self._booster = loaded_xgboost(artifact)
        self.features = int(self._booster.num_features())
        if json.loads(self._booster.save_config())["learner"]["gradient_booster"]["name"] == "gblinear":
            raise ContractError("XGBoost's gblinear has no in-place predictor: fit trees, by booster: gbtree")

    def margins(self, matrix: Matrix) -> Vector:
        """Log-odds per row."""
        with np.errstate(over="ignore"):  # beyond 32 bits is infinite
            single = matrix.astype(np.float32)
        return np.asarray(self._booster.inplace_predict(single, predict_type="margin"), np.float64)

    def splits(self, artifact: bytes) -> Splits:
        """What the packed form is made of. Raises UnpackableError."""
        del artifact
        return read_xgboost(bytes(self._booster.save_raw("json")))


NativeEngine = LightGBMEngine | XGBoostEngine


def native_engine(family: str, artifact: bytes) -> NativeEngine:
    """The library's own predictor of ``artifact``, whose digest was checked. Raises ContractError."""
    engines: dict[str, type[NativeEngine]] = {"lightgbm": LightGBMEngine, "xgboost": XGBoostEngine}
    if family not in engines:
        raise ContractError(f"model family {family!r} is not known here")
    try:
        return engines[family](artifact)
    except (lightgbm.basic.LightGBMError, xgboost.core.XGBoostError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]  # a stack trace follows
        raise ContractError(f"the {family} artifact cannot be loaded: {first}") from error
