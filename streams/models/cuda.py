"""The one door to the GPU: XGBoost on device arrays. CuPy and XGBoost with CUDA are the machine's own."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.errors import ContractError
from streams.models.libraries import xgboost

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.expressions import Matrix
    from streams.models.engine import Vector

CLOSE = 1e-4
"""By how many log-odds a GPU's margin may differ from a CPU's."""


def why_not() -> str | None:
    """What is missing on this machine for `device: cuda` and how to get it; None where nothing is."""
    if not xgboost.build_info().get("USE_CUDA"):
        return "this XGBoost is built without CUDA: install `xgboost` in place of `xgboost-cpu`"
    try:
        count = int(import_module("cupy").cuda.runtime.getDeviceCount())
    except ImportError:
        return "CuPy is not installed: install `cupy-cuda12x` or `cupy-cuda13x`, as the driver's CUDA is"
    except Exception as error:  # noqa: BLE001  (CuPy's own errors cannot be named where it may be missing)
        return f"CUDA finds no GPU ({error})"
    return None if count else "CUDA finds no GPU"


def on_device(rows: NDArray[np.float64]) -> Any:
    """The rows in single precision as a CuPy array on the first GPU, where there is one (``why_not``)."""
    with np.errstate(over="ignore"):  # beyond 32 bits is infinite
        return import_module("cupy").asarray(rows.astype(np.float32))


def name_of_gpu() -> str:
    """What the first GPU calls itself."""
    return str(import_module("cupy").cuda.runtime.getDeviceProperties(0)["name"].decode())


def device_of(booster: xgboost.Booster) -> str:
    """Where XGBoost says that it runs, for example ``cuda:0``: without a GPU it warns and takes the CPU."""
    return str(json.loads(booster.save_config())["learner"]["generic_param"]["device"])


class CudaEngine:
    """XGBoost's predictor on the GPU: rows go there once, margins come back once."""

    name = "xgboost-cuda"

    def __init__(self, artifact: bytes) -> None:
        """Load on the first GPU. Raises ContractError saying what is missing."""
        missing = why_not()
        if missing is not None:
            raise ContractError(f"serving.device: cuda cannot be had here: {missing}; or set auto or cpu")
        self._cupy: Any = import_module("cupy")
        self._booster = xgboost.Booster({"device": "cuda"})
        try:
            self._booster.load_model(bytearray(artifact))
        except xgboost.core.XGBoostError as error:
            raise ContractError(f"the xgboost artifact cannot be loaded on the GPU: {error}") from error
        self._booster.set_param({"device": "cuda"})
        self.features = int(self._booster.num_features())
        device = device_of(self._booster)
        if not device.startswith("cuda"):
            raise ContractError(f"XGBoost runs on {device!r} where cuda was asked for")

    def margins(self, matrix: Matrix) -> Vector:
        """Log-odds per row. Raises ContractError when they were not computed on the GPU."""
        if not len(matrix):
            return np.empty(0)
        try:
            found = self._booster.inplace_predict(on_device(matrix), predict_type="margin")
        except xgboost.core.XGBoostError as error:
            raise ContractError(f"XGBoost cannot predict on the GPU: {str(error).splitlines()[0]}") from error
        if not isinstance(found, self._cupy.ndarray):
            raise ContractError("XGBoost did not predict on the GPU: its answer is no device array")
        return np.asarray(self._cupy.asnumpy(found), np.float64)
