"""XGBoost's own JSON of a model, as its library writes it once the artifact is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_store.errors import ContractError
from streams.models.libraries import xgboost
from streams.models.trees.pack import check_trees
from streams.models.trees.splits import NAN_IS_MISSING, Splits, UnpackableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CATEGORICAL = 1
_FIRST_INEXACT = 1 << 24  # categories from here on are none, to XGBoost


class _Tree(msgspec.Struct):
    left_children: list[int]
    right_children: list[int]
    split_indices: list[int]
    split_conditions: list[float]
    """Of a leaf: what it adds."""
    default_left: list[int]
    split_type: list[int]
    sum_hessian: list[float]
    categories: list[int]
    categories_nodes: list[int]
    categories_segments: list[int]
    categories_sizes: list[int]


class _Trees(msgspec.Struct):
    trees: list[_Tree]
    weight_drop: list[float] = []
    """Of dart, where it is called a gbtree."""


class _Booster(msgspec.Struct):
    name: str
    model: msgspec.Raw = msgspec.Raw(b"null")
    gbtree: _Booster | None = None
    """Of dart; its trees are in there."""
    weight_drop: list[float] = []


class _Parameters(msgspec.Struct):
    base_score: str
    num_class: str
    num_feature: str
    num_target: str = "1"


class _Objective(msgspec.Struct):
    name: str


class _Learner(msgspec.Struct):
    gradient_booster: _Booster
    learner_model_param: _Parameters
    objective: _Objective


class _Model(msgspec.Struct):
    learner: _Learner


def read_xgboost(document: bytes) -> Splits:
    """The splits of a model's JSON. Raises UnpackableError for what is more than one sum of plain trees.

    Raises ContractError where trees that cannot be packed point outside themselves.
    """
    try:
        learner = msgspec.json.decode(document, type=_Model).learner
        trees, why = _trees(learner)
    except msgspec.MsgspecError as error:
        raise UnpackableError(f"its JSON is not understood: {error}") from error
    sizes = np.array([len(tree.left_children) for tree in trees])
    firsts = np.cumsum(sizes) - sizes
    shift = np.repeat(firsts, sizes)
    left = _joined(trees, lambda tree: tree.left_children).astype(np.int64)
    right = _joined(trees, lambda tree: tree.right_children).astype(np.int64)
    condition = _joined(trees, lambda tree: tree.split_conditions).astype(np.float32)
    sets = _CategorySets(trees, firsts)
    splits = Splits(
        single=True,
        features=int(learner.learner_model_param.num_feature),
        base=0.0 if why else _base(learner),
        roots=firsts,
        left=np.where(left < 0, -1, left + shift),
        right=np.where(left < 0, -1, right + shift),
        feature=_joined(trees, lambda tree: tree.split_indices).astype(np.int64),
        # Left is below the condition, so at or below the number before it.
        threshold=np.nextafter(condition, np.float32(-np.inf)).astype(np.float64),
        missing=np.full(len(left), NAN_IS_MISSING),
        default_left=_joined(trees, lambda tree: tree.default_left) != 0,
        category_set=sets.of_node,
        category_sets=sets.sets,
        listed_left=False,
        value=condition.astype(np.float64),
        cover=_joined(trees, lambda tree: tree.sum_hessian).astype(np.float64),
    )
    if why:
        check_trees(splits)
        raise UnpackableError(why)
    return splits


def _trees(learner: _Learner) -> tuple[list[_Tree], str]:
    """The trees, and why they are not packed all the same."""
    booster, parameters = learner.gradient_booster, learner.learner_model_param
    weights = booster.weight_drop
    if booster.name == "dart" and booster.gbtree is not None:
        booster = booster.gbtree
    if booster.name != "gbtree":
        raise UnpackableError(f"its booster is {booster.name}")
    model = msgspec.json.decode(booster.model, type=_Trees)
    trees, weights = model.trees, weights or model.weight_drop
    if not trees:
        raise UnpackableError("it has no trees")
    if weights and len(weights) != len(trees):
        raise ContractError(f"the model is damaged: its {len(trees)} trees have {len(weights)} weights")
    if int(parameters.num_class) > 1 or int(parameters.num_target) > 1:
        return trees, "it has more than one output"
    return trees, "its booster is dart: every tree has a weight" if weights else ""


def _base(learner: _Learner) -> float:
    """What sums start at: the base score in log-odds, as the library itself turns it into them."""
    parameters = {
        "objective": learner.objective.name,
        "base_score": float(learner.learner_model_param.base_score.strip("[]")),
        "nthread": 1,
    }
    try:
        treeless = xgboost.train(parameters, xgboost.DMatrix(np.zeros((1, 1)), [0.0], nthread=1), 0)
        return float(treeless.inplace_predict(np.zeros((1, 1)), predict_type="margin")[0])
    except xgboost.core.XGBoostError as error:
        raise UnpackableError(f"its base score is not understood: {str(error).splitlines()[0]}") from error


class _CategorySets:
    """The categories that every categorical split lists, and which of them is whose."""

    def __init__(self, trees: list[_Tree], firsts: NDArray[np.int64]) -> None:
        self.sets: list[NDArray[np.int64]] = []
        categorical = _joined(trees, lambda tree: tree.split_type) == _CATEGORICAL
        self.of_node = np.full(len(categorical), -1)
        for tree, first in zip(trees, firsts.tolist(), strict=True):
            listed = zip(tree.categories_nodes, tree.categories_segments, tree.categories_sizes, strict=True)
            for node, start, size in listed:
                categories = np.array(tree.categories[start : start + size], np.int64)
                if len(categories) and not 0 <= categories.min() <= categories.max() < _FIRST_INEXACT:
                    raise UnpackableError(f"its categories reach {categories.max()}")
                self.of_node[first + node] = len(self.sets)
                self.sets.append(categories)
        if (categorical != (self.of_node >= 0)).any():
            raise UnpackableError("categorical splits without categories")


def _joined(trees: list[_Tree], column: Callable[[_Tree], list[int] | list[float]]) -> NDArray[np.float64]:
    return np.concatenate([np.array(column(tree), np.float64) for tree in trees])
