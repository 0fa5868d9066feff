"""Subtrees whose leaves say nearly the same become one leaf; what a margin can move by is proven.

A row ends in one leaf of every tree. A subtree whose leaves lie between ``low`` and ``high`` becomes a leaf
of their middle, which moves a row by at most half their distance; a tree moves a row by the largest of its
merged subtrees, and a margin by the sum over trees. What rounding adds to such a sum is counted in. With a
tolerance of zero only leaves that are equal are merged: the same numbers are added in the same order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from training.compaction.plan import Plan, nodes_of_trees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.models.trees.splits import Splits

    Floats = NDArray[np.float64]

_ROUNDING_SHARE = 0.1
"""Of the tolerance, for shorter leaf values; the rest is for merging."""
_HALVINGS = 60


def merge(splits: Splits, plan: Plan, tolerance: float) -> Plan:
    """Merge as many nodes of the plan's trees as ``tolerance`` (log-odds) proves harmless."""
    nodes_of = nodes_of_trees(splits)
    trees = [nodes_of[tree] for tree in plan.trees]
    inexact = _of_sums(splits, plan, trees)
    plan, rounded = _shorter(splits, plan, tolerance, trees)
    low, high = _ranges(splits, plan)
    middle = _as_stored(splits, low + (high - low) / 2)
    moved = np.where(low == high, 0.0, np.maximum(high - middle, middle - low))
    candidates = [_candidates(moved[nodes][~plan.leaf[nodes]]) for nodes in trees]
    limits = _best(candidates, max(tolerance - rounded - inexact, 0.0))
    leaf, value = plan.leaf.copy(), plan.value.copy()
    for nodes, limit in zip(trees, limits, strict=True):
        merged = ~plan.leaf[nodes] & (moved[nodes] <= limit)
        leaf[nodes] |= merged
        value[nodes] = np.where(merged, middle[nodes], value[nodes])
    bound = rounded + float(np.sum(limits))
    return replace(plan, leaf=leaf, value=value, bound=bound + inexact if bound else 0.0)


def _ranges(splits: Splits, plan: Plan) -> tuple[Floats, Floats]:
    """The least and the greatest leaf below every node."""
    low, high = plan.value.copy(), plan.value.copy()
    for node in reversed(_outwards(splits)):
        left, right = splits.left[node], splits.right[node]
        low[node] = np.minimum(low[left], low[right])
        high[node] = np.maximum(high[left], high[right])
    return low, high


def _outwards(splits: Splits) -> list[NDArray[np.int64]]:
    """The inner nodes of all trees by their distance from the root."""
    levels, level = [], splits.roots[splits.left[splits.roots] >= 0]
    while len(level):
        levels.append(level)
        below = np.concatenate([splits.left[level], splits.right[level]])
        level = below[splits.left[below] >= 0]
    return levels


def _candidates(moved: Floats) -> tuple[Floats, Floats]:
    """What one tree may be moved by, and how many nodes each saves: a merged node loses two below it."""
    limits: Floats = np.append(np.zeros(1), np.sort(moved))
    return limits, 2.0 * np.searchsorted(limits[1:], limits, side="right").astype(np.float64)


def _best(candidates: list[tuple[Floats, Floats]], budget: float) -> Floats:
    """For every tree the limit that saves most nodes within ``budget`` for their sum: a price on moving,
    lowered until the budget is used up.
    """
    high, low = 1e12, 0.0
    found = _at_price(candidates, high)
    for _ in range(_HALVINGS):
        price = np.sqrt(high * max(low, 1e-12))
        limits = _at_price(candidates, price)
        if limits.sum() <= budget:
            high, found = price, limits
        else:
            low = price
    return found


def _at_price(candidates: list[tuple[Floats, Floats]], price: float) -> Floats:
    return np.array([limits[np.argmax(saved - price * limits)] for limits, saved in candidates])


def _shorter(splits: Splits, plan: Plan, tolerance: float, trees: list[slice]) -> tuple[Plan, float]:
    """Round LightGBM's leaves, which are text, to as few decimals as a share of the tolerance allows."""
    if splits.single or tolerance <= 0:
        return plan, 0.0
    decimals = int(np.ceil(-np.log10(2 * _ROUNDING_SHARE * tolerance / len(trees))))
    value = np.where(plan.leaf, np.round(plan.value, decimals), plan.value)
    apart = np.abs(value - plan.value)
    return replace(plan, value=value), sum(float(apart[nodes].max()) for nodes in trees)


def _of_sums(splits: Splits, plan: Plan, trees: list[slice]) -> float:
    """What rounding can move two sums of the trees apart by: each is off by (n - 1) u sum|x| at most."""
    largest = sum(float(np.abs(plan.value[nodes][plan.leaf[nodes]]).max()) for nodes in trees)
    unit = float(np.finfo(np.float32 if splits.single else np.float64).eps) / 2
    return 2 * len(trees) * unit * (largest + abs(splits.base))


def _as_stored(splits: Splits, value: Floats) -> Floats:
    return value.astype(np.float32).astype(np.float64) if splits.single else value
