"""An XGBoost model written again by a plan, through the JSON of its own library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from streams.models.engine import loaded_xgboost
from training.compaction.plan import nodes_of_trees, reached

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.models.trees.splits import Splits
    from training.compaction.plan import Plan

_BY_NODE = ("base_weights", "default_left", "loss_changes", "split_indices", "split_type", "sum_hessian")
_NO_PARENT = 2_147_483_647


def write_xgboost(artifact: bytes, splits: Splits, plan: Plan) -> bytes:
    """The UBJSON of what stays."""
    document = msgspec.json.decode(bytes(loaded_xgboost(artifact).save_raw("json")))
    model = document["learner"]["gradient_booster"]["model"]
    nodes, kept = nodes_of_trees(splits), plan.trees.tolist()
    model["trees"] = [
        _planned(model["trees"][tree], number, plan, nodes[tree]) for number, tree in enumerate(kept)
    ]
    model["tree_info"] = [model["tree_info"][tree] for tree in kept]
    model["gbtree_model_param"]["num_trees"] = str(len(kept))
    if "iteration_indptr" in model:
        round_of = np.searchsorted(model["iteration_indptr"], kept, side="right")
        model["iteration_indptr"] = [0, *np.cumsum(np.unique(round_of, return_counts=True)[1]).tolist()]
    return bytes(loaded_xgboost(msgspec.json.encode(document)).save_raw("ubj"))


def _planned(tree: dict[str, Any], number: int, plan: Plan, nodes: slice) -> dict[str, Any]:
    leaf, value = plan.leaf[nodes], plan.value[nodes]
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    kept = reached(left, right, leaf)
    place = np.full(len(leaf), -1)
    place[kept] = np.arange(len(kept))
    now_leaf, parents = leaf[kept], np.array(tree["parents"])[kept]
    conditions = np.array(tree["split_conditions"], np.float64)[kept]
    found = tree | {name: [tree[name][node] for node in kept.tolist()] for name in _BY_NODE}
    found |= {
        "id": number,
        "left_children": np.where(now_leaf, -1, place[left[kept]]).tolist(),
        "right_children": np.where(now_leaf, -1, place[right[kept]]).tolist(),
        "parents": [_NO_PARENT if node == _NO_PARENT else int(place[node]) for node in parents.tolist()],
        "split_conditions": np.where(now_leaf, value[kept], conditions).tolist(),
        "tree_param": tree["tree_param"] | {"num_nodes": str(len(kept)), "num_deleted": "0"},
    }
    for name in ("split_indices", "split_type", "default_left"):
        found[name] = np.where(now_leaf, 0, found[name]).tolist()
    return found | _categories(tree, place, now_leaf)


def _categories(
    tree: dict[str, Any], place: NDArray[np.int64], now_leaf: NDArray[np.bool_]
) -> dict[str, Any]:
    """The categorical splits that stay; the sets themselves stand where they stood."""
    listed = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    kept = [
        (int(place[node]), start, size)
        for node, start, size in listed
        if place[node] >= 0 and not now_leaf[place[node]]
    ]
    names = ("categories_nodes", "categories_segments", "categories_sizes")
    return {name: [each[position] for each in kept] for position, name in enumerate(names)}
