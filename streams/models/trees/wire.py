"""The packed form as bytes, for the way from a child process; what comes back is checked."""

from __future__ import annotations

import msgspec
import numpy as np

from feature_store.errors import ContractError
from streams.models.trees.forest import (
    ALWAYS_LEFT,
    CATEGORIES,
    FIRST_CODE,
    FIRST_EDGE,
    TOP_STEP,
    Forest,
    Packed,
)


class PackedBytes(msgspec.Struct):
    """A ``Packed`` on its way; arrays are little-endian."""

    single: bool
    features: int
    base: float
    nodes: bytes
    leaves: bytes
    means: bytes
    roots: bytes
    edges: bytes
    numbers: bytes
    categories: bytes
    category_codes: bytes
    columns: bytes


def to_bytes(packed: Packed) -> PackedBytes:
    """The other way of ``from_bytes``."""
    forest = packed.forest
    return PackedBytes(
        single=forest.single,
        features=packed.features,
        base=packed.base,
        nodes=forest.nodes.tobytes(),
        leaves=forest.leaves.tobytes(),
        means=packed.means.tobytes(),
        roots=forest.roots.tobytes(),
        edges=forest.edges.tobytes(),
        numbers=forest.numbers.tobytes(),
        categories=forest.categories.tobytes(),
        category_codes=forest.category_codes.tobytes(),
        columns=forest.columns.tobytes(),
    )


def from_bytes(sent: PackedBytes) -> Packed:
    """The packed form, sound enough to be walked. Raises ContractError for one that is not."""
    try:
        forest = Forest(
            single=sent.single,
            nodes=np.frombuffer(sent.nodes, "<u8").copy(),
            leaves=np.frombuffer(sent.leaves, "<f4" if sent.single else "<f8").copy(),
            roots=np.frombuffer(sent.roots, "<i8").reshape(-1, 3).copy(),
            edges=np.frombuffer(sent.edges, "<f8").copy(),
            numbers=np.frombuffer(sent.numbers, "<i8").reshape(-1, 5).copy(),
            categories=np.frombuffer(sent.categories, "<i8").reshape(-1, 5).copy(),
            category_codes=np.frombuffer(sent.category_codes, "<u2").copy(),
            columns=np.frombuffer(sent.columns, "<i8").reshape(-1, 3).copy(),
        )
        packed = Packed(forest, np.frombuffer(sent.means, "<f8").copy(), sent.features, sent.base)
    except ValueError as error:
        raise ContractError(f"the packed model is malformed: {error}") from error
    if not is_sound(packed):
        raise ContractError("the packed model points outside itself")
    return packed


def is_sound(packed: Packed) -> bool:
    """No walk, search or look-up can leave its array, and every walk ends."""
    forest, features = packed.forest, packed.features
    count, width = len(forest.nodes), len(forest.columns)
    places = np.arange(count)
    child = (forest.nodes >> np.uint64(32)).astype(np.int64)
    leaf = child == places
    column = ((forest.nodes >> np.uint64(16)) & np.uint64(0xFFFF)).astype(np.int64)
    numbers, categories = forest.numbers, forest.categories
    edges_end = numbers[:, FIRST_EDGE] + 2 * numbers[:, TOP_STEP] - 1
    splits = categories[:, 2] - categories[:, 1]
    codes_end = categories[:, FIRST_CODE] + (categories[:, CATEGORIES] + 2) * splits
    checks = (
        features > 0 and len(forest.leaves) == len(packed.means) == count > 0,
        (leaf | ((child > places) & (child + 1 < count))).all(),
        ((forest.nodes[leaf] & np.uint64(0xFFFF)) == ALWAYS_LEFT).all(),
        (column < width).all(),
        _within(forest.roots[:, :2], count) and _within(forest.roots[:, 2] - 1, count),
        _within(forest.columns[:, 0], features) and _within(forest.columns[:, 1], ALWAYS_LEFT + 1),
        *(_within(each[:, 0], features) and _within(each[:, 1:], 1 << 32) for each in (numbers, categories)),
        *((each[:, 1] <= each[:, 2]).all() and (each[:, 2] <= width).all() for each in (numbers, categories)),
        (edges_end <= len(forest.edges)).all() and _are_powers(numbers[:, TOP_STEP]),
        (codes_end <= len(forest.category_codes)).all(),
    )
    return all(bool(check) for check in checks)


def _within(words: np.ndarray[tuple[int, ...], np.dtype[np.int64]], end: int) -> bool:
    return bool(((words >= 0) & (words < end)).all())


def _are_powers(words: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> bool:
    return bool(((words > 0) & (words & (words - 1) == 0)).all())
