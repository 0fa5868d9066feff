"""Compile the tree kernels ahead of time: `python -m streams.models.trees.warm`. Others load them."""

from __future__ import annotations

import sys
import time

import numpy as np

from streams.models.trees.pack import pack
from streams.models.trees.splits import NAN_IS_MISSING, Splits
from streams.models.trees.walk import PackedEngine


def warm() -> float:
    """Call every kernel once for both families. Returns the seconds it took."""
    started = time.monotonic()
    for single in (False, True):
        PackedEngine("stump", pack(_stump(single=single))).contributions(np.zeros((1, 1)))
    return time.monotonic() - started


def _stump(*, single: bool) -> Splits:
    """One split on one feature."""
    return Splits(
        single=single,
        features=1,
        base=0.0,
        roots=np.zeros(1, np.int64),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        feature=np.zeros(3, np.int64),
        threshold=np.zeros(3),
        missing=np.full(3, NAN_IS_MISSING),
        default_left=np.zeros(3, np.bool_),
        category_set=np.full(3, -1),
        category_sets=[],
        listed_left=True,
        value=np.array([0.0, -1.0, 1.0]),
        cover=np.ones(3),
    )


if __name__ == "__main__":
    sys.stdout.write(f"the tree kernels are compiled ({warm():.0f} s)\n")
