"""What is searched for, family by family: the parameters that decide how a forest grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.fitting.algorithms import Family


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``; ``whole`` numbers only, or evenly on a ``log`` scale."""

    low: float
    high: float
    whole: bool = False
    log: bool = False


SPACES: dict[Family, dict[str, Range]] = {
    "lightgbm": {
        "learning_rate": Range(0.02, 0.2, log=True),
        "num_leaves": Range(4, 64, whole=True, log=True),
        "min_data_in_leaf": Range(1, 200, whole=True, log=True),
        "min_sum_hessian_in_leaf": Range(1e-3, 10, log=True),
        "lambda_l2": Range(1e-3, 30, log=True),
        "feature_fraction": Range(0.4, 1.0),
    },
    "xgboost": {
        "learning_rate": Range(0.02, 0.3, log=True),
        "max_depth": Range(2, 8, whole=True),
        "min_child_weight": Range(0.1, 30, log=True),
        "reg_lambda": Range(0.01, 30, log=True),
        "subsample": Range(0.5, 1.0),
        "colsample_bytree": Range(0.4, 1.0),
    },
}
