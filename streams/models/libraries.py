"""The one door to LightGBM and XGBoost.

Both load scikit-learn where it is there, for wrappers that nobody here uses: two thirds of their start.
"""

from __future__ import annotations

from feature_store.absent import absent

with absent("sklearn"):
    import lightgbm
    import xgboost

__all__ = ["lightgbm", "xgboost"]
