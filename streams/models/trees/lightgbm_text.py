"""LightGBM's model text, read as what it is: lines of `name=values`, a block for each tree."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from feature_store.errors import ContractError
from streams.models.trees.pack import DAMAGED, check_trees
from streams.models.trees.splits import Splits, UnpackableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 2  # bits of decision_type, the last a shift
_WORD = 32

Fields = dict[str, str]
Number = TypeVar("Number", np.int64, np.float64)


def read_lightgbm(artifact: bytes) -> Splits:
    """The splits of a model text. Raises UnpackableError for what is more than one sum of plain trees.

    Raises ContractError where a tree has not as many numbers as it says (LightGBM takes others as zeros), and
    where trees that cannot be packed point outside themselves.
    """
    head, *trees = _blocks(artifact.decode())
    parts = [_tree(fields) for fields in trees]
    if not parts:
        raise UnpackableError("it has no trees")
    sizes = np.array([len(part["left"]) for part in parts])
    firsts = np.cumsum(sizes) - sizes
    sets = np.array([len(part["sets"]) for part in parts])
    first_sets = np.cumsum(sets) - sets
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "sets"}
    shift = np.repeat(firsts, sizes)
    left, right, category_set = joined["left"], joined["right"], joined["category_set"]
    splits = Splits(
        single=False,
        features=int(head["max_feature_idx"]) + 1,
        base=0.0,
        roots=firsts,
        left=np.where(left < 0, -1, left + shift),
        right=np.where(left < 0, -1, right + shift),
        feature=joined["feature"],
        threshold=joined["threshold"],
        missing=joined["missing"],
        default_left=joined["default_left"],
        category_set=np.where(category_set < 0, -1, category_set + np.repeat(first_sets, sizes)),
        category_sets=[each for part in parts for each in part["sets"]],
        listed_left=True,
        value=joined["value"],
        cover=joined["cover"],
    )
    if why := _unsupported(head, trees):
        check_trees(splits)
        _check_linear(trees, splits.features)
        raise UnpackableError(why)
    return splits


def _blocks(text: str) -> Iterator[Fields]:
    """The head of the file, then every tree."""
    fields: Fields = {}
    for line in text.splitlines():
        if line.startswith("Tree="):
            yield fields
            fields = {}
        elif line == "end of trees":
            break
        else:
            name, _, values = line.partition("=")
            fields[name] = values
    yield fields


def _unsupported(head: Fields, trees: list[Fields]) -> str:
    if head.get("num_class") != "1" or head.get("num_tree_per_iteration") != "1":
        return "it has more than one class"
    if "average_output" in head:
        return "it averages its trees"
    if any(fields.get("is_linear", "0") != "0" for fields in trees):
        return "its leaves are linear models"
    return ""


def _check_linear(trees: list[Fields], features: int) -> None:
    for fields in trees:
        if fields.get("is_linear", "0") == "0":
            continue
        counts = _numbers(fields, "num_features", int(fields["num_leaves"]), np.int64)
        if counts.any() and "leaf_features" not in fields:
            raise ContractError(DAMAGED)
        used = _numbers(fields, "leaf_features", int(counts.sum()), np.int64)
        if (counts < 0).any() or ((used < 0) | (used >= features)).any():
            raise ContractError(DAMAGED)


def _tree(fields: Fields) -> dict[str, Any]:
    """The nodes of one tree: its splits, then its leaves."""
    leaves = int(fields["num_leaves"])
    inner = leaves - 1
    kind = _numbers(fields, "decision_type", inner, np.int64)
    category = (kind & _CATEGORICAL) != 0
    threshold = _numbers(fields, "threshold", inner, np.float64)
    sets = _category_sets(fields)
    if not ((threshold[category] >= 0) & (threshold[category] < len(sets))).all():
        raise ContractError(DAMAGED)
    nowhere, no = np.full(leaves, -1), np.zeros(leaves, np.int64)
    return {
        "left": np.concatenate([_children(fields, "left_child", inner), nowhere]),
        "right": np.concatenate([_children(fields, "right_child", inner), nowhere]),
        "feature": np.concatenate([_numbers(fields, "split_feature", inner, np.int64), no]),
        "threshold": np.concatenate([threshold, np.zeros(leaves)]),
        "missing": np.concatenate([(kind >> _MISSING) & 3, no]),
        "default_left": np.concatenate(
            [((kind & _DEFAULT_LEFT) != 0) & ~category, np.zeros(leaves, np.bool_)]
        ),
        "category_set": np.concatenate([np.where(category, threshold, -1).astype(np.int64), nowhere]),
        "sets": sets,
        "value": np.concatenate([np.zeros(inner), _numbers(fields, "leaf_value", leaves, np.float64)]),
        "cover": np.concatenate([np.zeros(inner), _numbers(fields, "leaf_count", leaves, np.float64)]),
    }


def _children(fields: Fields, name: str, inner: int) -> NDArray[np.int64]:
    """Leaves are written as -1, -2, … and stand behind the splits here."""
    child = _numbers(fields, name, inner, np.int64)
    if (child >= inner).any():
        raise ContractError(DAMAGED)
    return np.where(child < 0, inner + ~child, child)


def _category_sets(fields: Fields) -> list[NDArray[np.int64]]:
    count = int(fields.get("num_cat", "0"))
    if count == 0:
        return []
    ends = _numbers(fields, "cat_boundaries", count + 1, np.int64)
    if ends[0] != 0 or (np.diff(ends) < 0).any():
        raise ContractError("the model is damaged: its sets of categories lie outside themselves")
    words = _numbers(fields, "cat_threshold", int(ends[-1]), np.int64).astype("<u4")
    bits = np.unpackbits(words.view(np.uint8), bitorder="little")
    return [np.flatnonzero(bits[_WORD * a : _WORD * b]) for a, b in pairwise(ends.tolist())]


def _numbers(fields: Fields, name: str, count: int, dtype: type[Number]) -> NDArray[Number]:
    if name not in fields and name != "leaf_count" and count:
        raise UnpackableError(f"a tree does not say its {name}")
    found = np.array(fields.get(name, "").split(), np.float64).astype(dtype)
    if len(found) != count:
        if name == "leaf_count" and not len(found):
            return np.zeros(count, dtype)
        raise ContractError(f"the model is damaged: {name} has {len(found)} numbers, not {count}")
    return found
