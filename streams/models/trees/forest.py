"""The packed form of a model: arrays that the kernels read and that travel between processes as bytes.

A **node** is one 64-bit word: the place of its left child (32 bits; the right one follows it), a column of
codes (16 bits), the greatest code that goes left (16 bits). A leaf is its own left child, so a walk may go on
at it.

A **code** says where a number lies among the thresholds of its feature: how many of them are below it. So
codes compare exactly as the numbers themselves do, in 16 bits, and what is missing has a code that is below
or above all. A categorical split has a column of its own with 0 (left) or 1 (right), looked up by category.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALWAYS_LEFT = 0xFFFF
"""The greatest code that goes left, at a leaf; and the code of what is missing and goes right."""
MOST_THRESHOLDS = ALWAYS_LEFT - 1
"""Of one feature, so that the code of a number is below ``ALWAYS_LEFT``."""
MOST_COLUMNS = 1 << 16

FEATURE, FIRST_COLUMN, END_COLUMN, FIRST_EDGE, TOP_STEP = range(5)
"""Words of ``numbers``: a feature that is compared as a number, the columns that hold its code, and its
edges, padded with +inf to ``2 * TOP_STEP - 1``, a power of two less one."""
CATEGORIES, FIRST_CODE = 3, 4
"""Words of ``categories`` beside the first three: its codes are a table with a row for each category from 0,
then one for all others, then one for NaN."""


class Forest(NamedTuple):
    """See the module."""

    single: bool
    """Numbers are rounded to 32 bits and summed in 32 bits, as XGBoost does; else 64, as LightGBM."""
    nodes: NDArray[np.uint64]
    leaves: NDArray[np.float64] | NDArray[np.float32]
    """What a leaf adds to the sum, by node, in the width of the sum."""
    roots: NDArray[np.int64]
    """Of every tree: its first node, steps to its farthest leaf, steps that take most rows to theirs."""
    edges: NDArray[np.float64]
    numbers: NDArray[np.int64]
    categories: NDArray[np.int64]
    category_codes: NDArray[np.uint16]
    columns: NDArray[np.int64]
    """Of every column: its feature, the code of what is missing, whether zero is missing."""


class Packed(NamedTuple):
    """A forest with what its caller must know."""

    forest: Forest
    means: NDArray[np.float64]
    """By node: the mean of the leaves below it, weighted by their cover."""
    features: int
    base: float
    """What every sum starts at."""
