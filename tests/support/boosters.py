"""Boosters of both families, small and odd, for tests of what scores them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.models.libraries import lightgbm, xgboost

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.expressions import Matrix

CATEGORY = 2
"""The column of the table that holds categories."""


@dataclass(frozen=True)
class Table:
    """Something to fit on: skewed amounts, whole numbers, categories, values that are missing."""

    matrix: Matrix
    label: NDArray[np.float64]


def table(
    seed: int, *, rows: int = 600, features: int = 5, scale: float = 1.0, missing: float = 0.1
) -> Table:
    """Rows drawn from ``seed``; ``scale`` makes the amounts tiny or huge."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, features)) * scale
    matrix[:, 1] = np.round(np.exp(random.normal(size=rows) * 2), 2) * scale
    matrix[:, CATEGORY] = random.integers(0, 40, rows)
    matrix[random.random(matrix.shape) < missing / 2] = 0.0
    matrix[random.random(matrix.shape) < missing] = np.nan
    known = np.nan_to_num(matrix / scale)
    odds = known[:, 0] * known[:, 3] + np.log1p(np.abs(known[:, 1])) + (matrix[:, CATEGORY] % 7 == 3)
    return Table(matrix, (random.random(rows) < 1 / (1 + np.exp(1 - odds))).astype(np.float64))


@dataclass(frozen=True)
class Recipe:
    """How a booster is fitted."""

    rounds: int = 12
    leaves: int = 8
    category: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)


def lightgbm_artifact(rows: Table, recipe: Recipe) -> bytes:
    """A model text."""
    parameters = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": recipe.leaves}
    parameters |= {"min_data_in_leaf": 3, "min_data_per_group": 2, "cat_smooth": 1.0} | recipe.parameters
    categories = [CATEGORY] if recipe.category else []
    data = lightgbm.Dataset(rows.matrix, rows.label, categorical_feature=categories, params=parameters)
    return lightgbm.train(parameters, data, recipe.rounds).model_to_string().encode()


def xgboost_artifact(rows: Table, recipe: Recipe) -> bytes:
    """A model in UBJSON."""
    parameters = {"objective": "binary:logistic", "nthread": 1, "max_leaves": recipe.leaves, "max_depth": 0}
    parameters |= {
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_cat_to_onehot": 4,
    } | recipe.parameters
    types = ["q"] * rows.matrix.shape[1]
    if recipe.category:
        types[CATEGORY] = "c"
    data = xgboost.DMatrix(
        rows.matrix, rows.label, feature_types=types, enable_categorical=recipe.category, nthread=1
    )
    return bytes(xgboost.train(parameters, data, recipe.rounds).save_raw("ubj"))
