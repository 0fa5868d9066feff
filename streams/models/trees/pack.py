"""From splits to the packed form: all trees at once, level by level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.errors import ContractError
from streams.models.trees.forest import ALWAYS_LEFT, MOST_COLUMNS, MOST_THRESHOLDS, Forest, Packed
from streams.models.trees.splits import NAN_IS_ZERO, ZERO_IS_MISSING, UnpackableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.models.trees.splits import Splits

    Ints = NDArray[np.int64]

DAMAGED = "the model is damaged: its trees point outside themselves"
NUMBERLESS = "the model is damaged: it has leaves that add no number"
_MOST_CATEGORY_CODES = 1 << 24
_MOST_NODES = 1 << 31
_MOST_STEPS = 10_000  # from a root to a leaf; an event would wait for more
_MOST_ROWS = 0.92  # to the power of eight it is one half


def pack(splits: Splits) -> Packed:
    """The packed form. Raises UnpackableError for what it cannot hold, ContractError for no sound trees."""
    levels = _levels(splits)
    found, tree = _nodes(splits, levels)
    order = found[np.argsort(tree, kind="stable")]  # tree after tree, siblings side by side
    place = np.full(len(splits.left), -1, np.int64)
    place[order] = np.arange(len(order))
    inner = splits.left >= 0
    columns = _Columns(splits, order[inner[order]])
    left = np.where(inner, place[splits.left], place).astype(np.uint64)
    column = np.where(inner, columns.column, 0).astype(np.uint64)
    code = np.where(inner, columns.code, ALWAYS_LEFT).astype(np.uint64)
    nodes = (left << np.uint64(32)) | (column << np.uint64(16)) | code
    leaves = np.where(inner, 0.0, splits.value)[order]
    means, cover = _means(splits, levels)
    forest = Forest(
        single=splits.single,
        nodes=nodes[order],
        leaves=leaves.astype(np.float32) if splits.single else leaves,
        roots=np.column_stack([place[splits.roots], *_depths(splits, levels, cover)]),
        edges=columns.edges,
        numbers=columns.numbers,
        categories=columns.categories,
        category_codes=columns.category_codes,
        columns=columns.columns,
    )
    return Packed(forest, means[order], splits.features, splits.base)


def check_trees(splits: Splits) -> None:
    """Raises ContractError where trees that are not packed point outside themselves, or are none.

    Their own library walks them, for any row, and looks at nothing.
    """
    try:
        nodes, _ = _nodes(splits, _levels(splits))
    except IndexError as error:
        raise ContractError(DAMAGED) from error
    if not np.isfinite(splits.value[nodes[splits.left[nodes] < 0]]).all():
        raise ContractError(NUMBERLESS)


def _nodes(splits: Splits, levels: list[Ints]) -> tuple[Ints, Ints]:
    """Every node that a walk can reach, and its tree.

    Raises ContractError where a node is another tree's, or asks for what is not there: one that is packed may
    seem sound and still lead its own library, which scores where the two differ, anywhere.
    """
    found, tree = np.concatenate(levels), np.concatenate(_tree_by_level(splits, levels))
    own = np.searchsorted(splits.roots, found, side="right") - 1
    inner = found[splits.left[found] >= 0]
    feature, category = splits.feature[inner], splits.category_set[inner]
    if (
        (own != tree).any()
        or ((feature < 0) | (feature >= splits.features)).any()
        or (category >= len(splits.category_sets)).any()
    ):
        raise ContractError(DAMAGED)
    return found, tree


def _levels(splits: Splits) -> list[Ints]:
    """The nodes of all trees by their distance from the root; children of one node are neighbours."""
    levels, seen = [splits.roots], len(splits.roots)
    while True:
        parents = levels[-1][splits.left[levels[-1]] >= 0]
        if len(parents) == 0:
            break
        children = np.column_stack([splits.left[parents], splits.right[parents]]).ravel()
        levels.append(children)
        seen += len(children)
        if seen > len(splits.left):
            break
        if len(levels) > _MOST_STEPS:
            raise ContractError(f"its trees are more than {_MOST_STEPS} steps deep")
    if len(np.unique(np.concatenate(levels))) != seen:
        raise ContractError("the model is damaged: its nodes are not trees")
    if seen >= _MOST_NODES:
        raise UnpackableError(f"it has {seen} nodes, {_MOST_NODES} are the most")
    return levels


def _tree_by_level(splits: Splits, levels: list[Ints]) -> list[Ints]:
    trees = [np.arange(len(splits.roots))]
    for level in levels[:-1]:
        trees.append(np.repeat(trees[-1][splits.left[level] >= 0], 2))
    return trees


def _depths(splits: Splits, levels: list[Ints], cover: NDArray[np.float64]) -> tuple[Ints, Ints]:
    """Of every tree, steps to its farthest leaf, and steps that take eight rows to leaves, mostly."""
    trees = len(splits.roots)
    farthest, most = np.zeros(trees, np.int64), np.zeros(trees, np.int64)
    arrived = np.zeros(trees)
    for depth, (level, tree) in enumerate(zip(levels, _tree_by_level(splits, levels), strict=True)):
        farthest[tree] = depth
        most[arrived < _MOST_ROWS * cover[splits.roots]] = depth
        leaf = splits.left[level] < 0
        arrived += np.bincount(tree[leaf], cover[level[leaf]], trees)
    return farthest, np.maximum(np.minimum(most, farthest), 1)


def _means(splits: Splits, levels: list[Ints]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of every node, the mean of its leaves by their cover (a plain one where none is known); its cover."""
    mean, cover = splits.value.copy(), splits.cover.copy()
    for level in reversed(levels):
        node = level[splits.left[level] >= 0]
        left, right = splits.left[node], splits.right[node]
        cover[node] = cover[left] + cover[right]
        known = cover[node] > 0
        share = np.where(known, cover[left] / np.where(known, cover[node], 1.0), 0.5)
        mean[node] = share * mean[left] + (1.0 - share) * mean[right]
    return mean, cover


class _Columns:
    """The columns of codes, and of every split its column and the greatest code that goes left."""

    def __init__(self, splits: Splits, inner: Ints) -> None:
        self._splits = splits
        self.column = np.zeros(len(splits.left), np.int64)
        self.code = np.zeros(len(splits.left), np.int64)
        self._columns: list[tuple[int, int, int]] = []
        self._edges: list[NDArray[np.float64]] = []
        self._codes: list[NDArray[np.uint16]] = []
        numbers, categories = [], []
        by_number = splits.category_set[inner] < 0
        for feature in np.unique(splits.feature[inner]).tolist():
            mine = splits.feature[inner] == feature
            if (mine & by_number).any():
                numbers.append(self._number(feature, inner[mine & by_number]))
            if (mine & ~by_number).any():
                categories.append(self._category(feature, inner[mine & ~by_number]))
        if len(self._columns) > MOST_COLUMNS:
            raise UnpackableError(
                f"it needs {len(self._columns)} columns of codes, {MOST_COLUMNS} are the most"
            )
        self.numbers = np.array(numbers, np.int64).reshape(-1, 5)
        self.categories = np.array(categories, np.int64).reshape(-1, 5)
        self.columns = np.array(self._columns or [(0, 0, 0)], np.int64)
        self.edges = np.concatenate([*self._edges, np.empty(0)])
        self.category_codes = np.concatenate([*self._codes, np.empty(0, np.uint16)])

    def _number(self, feature: int, nodes: Ints) -> tuple[int, ...]:
        edges, code = np.unique(self._splits.threshold[nodes], return_inverse=True)
        if len(edges) > MOST_THRESHOLDS:
            raise UnpackableError(
                f"feature {feature} has {len(edges)} thresholds, {MOST_THRESHOLDS} are the most"
            )
        top = 1 << (len(edges).bit_length() - 1)
        first_edge = sum(map(len, self._edges))
        self._edges.append(np.concatenate([edges, np.full(2 * top - 1 - len(edges), np.inf)]))
        self.code[nodes] = code
        first = len(self._columns)
        kind = self._splits.missing[nodes] * 2 + self._splits.default_left[nodes]
        kind[self._splits.missing[nodes] == NAN_IS_ZERO] = NAN_IS_ZERO
        kinds, self_column = np.unique(kind, return_inverse=True)
        for each in kinds.tolist():
            missing, left = divmod(each, 2)
            absent = 0 if left else ALWAYS_LEFT
            if missing == NAN_IS_ZERO:
                absent = int(np.searchsorted(edges, 0.0))
            self._columns.append((feature, absent, int(missing == ZERO_IS_MISSING)))
        self.column[nodes] = first + self_column
        return feature, first, len(self._columns), first_edge, top

    def _category(self, feature: int, nodes: Ints) -> tuple[int, ...]:
        splits = self._splits
        sets = [splits.category_sets[index] for index in splits.category_set[nodes].tolist()]
        known = max((int(each.max()) + 1 for each in sets if len(each)), default=0)
        first_code = sum(map(len, self._codes))
        if first_code + (known + 2) * len(nodes) > _MOST_CATEGORY_CODES:
            raise UnpackableError(f"feature {feature} has {known} categories in {len(nodes)} splits")
        codes = np.full((known + 2, len(nodes)), int(splits.listed_left), np.uint16)
        for column, listed in enumerate(sets):
            codes[listed, column] = int(not splits.listed_left)
        codes[known + 1] = ~splits.default_left[nodes]
        self._codes.append(codes.ravel())
        first = len(self._columns)
        self._columns.extend((feature, 0, 0) for _ in sets)
        self.column[nodes] = first + np.arange(len(nodes))
        return feature, first, len(self._columns), known, first_code
