"""What of a model stays: which trees, and which of their nodes are leaves from now on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.models.trees.splits import Splits


@dataclass(frozen=True)
class Plan:
    """Nodes are numbered as in the model's ``Splits``."""

    trees: NDArray[np.intp]
    """Those that stay, in their order."""
    leaf: NDArray[np.bool_]
    """Of every node: whether it is a leaf from now on; what stood below it goes."""
    value: NDArray[np.float64]
    """Of every leaf: what it adds."""
    bound: float = 0.0
    """No margin can move further by merging and rounding, in log-odds; dropped trees are not in it."""

    def without(self, trees: list[int]) -> Plan:
        """The plan that drops ``trees``, too."""
        return replace(self, trees=np.setdiff1d(self.trees, trees))


def as_it_is(splits: Splits) -> Plan:
    """The plan that changes nothing."""
    return Plan(np.arange(len(splits.roots)), splits.left < 0, splits.value)


def nodes_of_trees(splits: Splits) -> list[slice]:
    """The nodes of every tree: they stand together, its root first."""
    ends = np.append(splits.roots[1:], len(splits.left))
    return [slice(int(a), int(b)) for a, b in zip(splits.roots, ends, strict=True)]


def reached(left: NDArray[np.int64], right: NDArray[np.int64], leaf: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The nodes of one tree that its root (0) still leads to, ascending."""
    found, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not leaf[node]:
            waiting += [int(left[node]), int(right[node])]
    return np.array(sorted(found), np.int64)
