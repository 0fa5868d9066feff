"""Where trees are grown: on the CPU, or by XGBoost on a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from feature_store.errors import ConfigError
from streams.models.cuda import why_not

if TYPE_CHECKING:
    from feature_store.declaration.training import TrainingSpec


def training_device(spec: TrainingSpec) -> Literal["cpu", "cuda"]:
    """The device for this fit. Raises ConfigError where `training.device: cuda` cannot be had here."""
    if spec.device == "cpu" or spec.algorithm != "xgboost":
        return "cpu"
    missing = why_not()
    if missing is None:
        return "cuda"
    if spec.device == "cuda":
        raise ConfigError(f"training.device: cuda cannot be had here: {missing}; or set auto or cpu")
    return "cpu"
