"""What each feature does: gain while it was fitted, contributions to what it said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.models.engine import loaded_xgboost
from streams.models.libraries import lightgbm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.expressions import Matrix
    from streams.models.champion import Champion

    Floats = NDArray[np.float64]

_ROWS = 5_000


def gains(family: str, artifact: bytes, names: list[str]) -> Floats:
    """Each feature's share of what all splits gained, adding up to 1; zeros for a model without splits."""
    if family == "lightgbm":
        found = np.asarray(
            lightgbm.Booster(model_str=artifact.decode()).feature_importance("gain"), np.float64
        )
    else:
        booster = loaded_xgboost(artifact)
        known = booster.feature_names or [f"f{at}" for at in range(len(names))]
        score = booster.get_score(importance_type="total_gain")
        found = np.array([float(np.sum(score.get(name, 0.0))) for name in known])
    return found / (found.sum() or 1.0)


def mean_contributions(model: Champion, matrix: Matrix) -> Floats | None:
    """The mean size of each feature's contribution to the margin, in log-odds, by path attribution.

    None where the model has no packed walk, which alone knows the paths.
    """
    rows = np.unique(np.linspace(0, len(matrix) - 1, min(len(matrix), _ROWS)).astype(np.intp))
    found = model.contributions(matrix, rows)
    return None if found is None else np.asarray(np.abs(found).mean(axis=0))
