"""What both families' trees have in common, as read from an artifact: the nodes of all trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAN_IS_ZERO, ZERO_IS_MISSING, NAN_IS_MISSING = range(3)
"""What a split takes NaN for: the number zero; missing, as zero is; missing."""


class UnpackableError(Exception):
    """The packed walk does not cover this model, for the reason given: its own library computes it."""


@dataclass(frozen=True)
class Splits:
    """Every node of every tree. A leaf has ``left`` = -1, and its children are not read.

    A number goes left where it is at or below ``threshold``. What is missing goes where ``default_left``
    says; for a category that is NaN alone.
    """

    single: bool
    """Numbers are rounded to 32 bits and sums are kept in 32 bits, as XGBoost does; else 64, as LightGBM."""
    features: int
    base: float
    """What every sum starts at."""
    roots: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing: NDArray[np.int64]
    default_left: NDArray[np.bool_]
    category_set: NDArray[np.int64]
    """Which of ``category_sets`` a split asks for; -1 for a number."""
    category_sets: list[NDArray[np.int64]]
    listed_left: bool
    """A category of the set goes left (LightGBM), or right (XGBoost); the others go the other way."""
    value: NDArray[np.float64]
    """Of leaves: what they add to the sum."""
    cover: NDArray[np.float64]
    """Of leaves: how much of the training data came there."""
