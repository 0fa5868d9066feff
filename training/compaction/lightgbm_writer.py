"""A LightGBM model text written again by a plan, without what only its fit needed.

``leaf_weight``, ``internal_weight`` and ``internal_value`` are read by no prediction and by no attribution
(which goes by counts); on the handbook's models they are a third of the text. The list of importances, which
follows from the trees, goes as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from training.compaction.plan import nodes_of_trees, reached

if TYPE_CHECKING:
    from streams.models.trees.splits import Splits
    from training.compaction.plan import Plan

_ONLY_FOR_FITTING = frozenset({"leaf_weight", "internal_weight", "internal_value"})
_OF_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "internal_count")
_IMPORTANCES = re.compile(r"^feature_importances:\n(?:[^\n]+\n)*\n*", re.MULTILINE)
_TREE = re.compile(r"^Tree=\d+\n", re.MULTILINE)
_END = "end of trees"

Fields = dict[str, str]


def write_lightgbm(artifact: bytes, splits: Splits, plan: Plan) -> bytes:
    """The model text of what stays."""
    body, _, tail = artifact.decode().partition(_END)
    head, *texts = _TREE.split(body)
    nodes = nodes_of_trees(splits)
    trees = []
    for number, tree in enumerate(plan.trees.tolist()):
        fields = _planned(_fields(texts[tree]), splits, plan, nodes[tree])
        lines = [f"{name}={values}" for name, values in fields.items()]
        trees.append("\n".join([f"Tree={number}", *lines, "", "", ""]))
    sizes = " ".join(str(len(each.encode())) for each in trees)
    head = re.sub(r"^tree_sizes=.*$", f"tree_sizes={sizes}", head, flags=re.MULTILINE)
    return (head + "".join(trees) + _END + _IMPORTANCES.sub("", tail)).encode()


def _fields(text: str) -> Fields:
    pairs = (line.partition("=") for line in text.splitlines() if line)
    return {name: values for name, _, values in pairs if name not in _ONLY_FOR_FITTING}


def _planned(fields: Fields, splits: Splits, plan: Plan, nodes: slice) -> Fields:
    """One tree by the plan; the text of what has not changed stays as it was."""
    leaf, first = plan.leaf[nodes], nodes.start
    left, right = splits.left[nodes] - first, splits.right[nodes] - first
    inner = len(leaf) // 2  # splits come first, then the leaves
    kept = reached(left, right, leaf)
    kept_inner, kept_leaves = kept[~leaf[kept]], kept[leaf[kept]]
    place = np.zeros(len(leaf), np.int64)
    place[kept_inner] = np.arange(len(kept_inner))
    place[kept_leaves] = ~np.arange(len(kept_leaves))
    texts = fields["leaf_value"].split()
    counts = np.array([*fields.get("internal_count", "").split(), *fields.get("leaf_count", "").split()])
    values = [
        texts[node - inner]
        if node >= inner and plan.value[first + node] == splits.value[first + node]
        else repr(float(plan.value[first + node]))
        for node in kept_leaves.tolist()
    ]
    found = fields | {"num_leaves": str(len(kept_leaves)), "leaf_value": " ".join(values)}
    for name in _OF_SPLITS:
        if name in fields:
            found[name] = " ".join(np.array(fields[name].split())[kept_inner].tolist())
    if len(counts) == len(leaf):
        found["leaf_count"] = " ".join(counts[kept_leaves].tolist())
    found["left_child"] = " ".join(map(str, place[left[kept_inner]].tolist()))
    found["right_child"] = " ".join(map(str, place[right[kept_inner]].tolist()))
    return found
