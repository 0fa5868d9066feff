"""Trees that do not pay: without them the log loss on the validation slice is no higher.

Boosting adds trees one after another, and a later one may undo what an earlier one did. They are dropped one
by one, the most harmful first, until every one that is left lowers the loss. The mean of a dropped tree goes
into the intercept: calibration follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.models.engine import loaded_xgboost
from streams.models.libraries import lightgbm, xgboost
from training.compaction.plan import nodes_of_trees
from training.fitting.calibration import platt
from training.fitting.logistic import log_loss, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.expressions import Matrix
    from streams.models.trees.splits import Splits
    from training.dataset.events import LabelledEvents

    Floats = NDArray[np.float64]

LEAST_FRAUDS = 30
"""In the validation slice: fewer say too little about single trees."""
_MOST_LEGITIMATE = 20_000
_TRIED = 8
"""Of the trees that look most harmful, how many are tried exactly."""


def unpaid_trees(artifact: bytes, splits: Splits, validation: LabelledEvents, seed: int) -> list[int]:
    """The trees to drop, ascending; never all of them, none where there is too little to tell by."""
    if validation.frauds < LEAST_FRAUDS:
        return []
    rows, weight = _sampled(validation, seed)
    fraud = validation.fraud[rows]
    added = contributions(artifact, splits, np.ascontiguousarray(validation.features[rows]))
    margin = added.sum(axis=1) + splits.base
    to_probability = platt(margin, fraud, weight)
    moves = to_probability.slope * (added - np.average(added, axis=0, weights=weight))
    logit = to_probability.slope * margin + to_probability.intercept
    return sorted(_dropped(moves, logit, fraud, weight))


def _dropped(moves: Floats, logit: Floats, fraud: NDArray[np.bool_], weight: Floats) -> list[int]:
    left, dropped = list(range(moves.shape[1])), []
    squares = moves**2
    loss = _loss(logit, fraud, weight)
    while len(left) > 1:
        probability = sigmoid(logit)
        slope = (weight * (probability - fraud)) @ moves
        curvature = (weight * probability * (1 - probability)) @ squares
        expected = (curvature / 2 - slope)[left]
        tried = [left[place] for place in np.argsort(expected)[:_TRIED]]
        losses = [_loss(logit - moves[:, tree], fraud, weight) for tree in tried]
        best = int(np.argmin(losses))
        if losses[best] > loss:
            break
        loss, logit = losses[best], logit - moves[:, tried[best]]
        left.remove(tried[best])
        dropped.append(tried[best])
    return dropped


def contributions(artifact: bytes, splits: Splits, matrix: Matrix) -> Floats:
    """What every tree adds to every row, one column a tree, as the library walks them."""
    if splits.single:
        booster = loaded_xgboost(artifact)
        names, kinds = booster.feature_names, booster.feature_types
        rows = xgboost.DMatrix(
            matrix.astype(np.float32), feature_names=names, feature_types=kinds, nthread=1,
            enable_categorical=True,
        )  # fmt: skip
        leaves, firsts = np.asarray(booster.predict(rows, pred_leaf=True)), splits.roots
    else:
        model = lightgbm.Booster(model_str=artifact.decode())
        leaves = np.asarray(model.predict(matrix, pred_leaf=True, num_threads=1))
        # its leaves stand behind its splits
        firsts = np.array([(nodes.start + nodes.stop) // 2 for nodes in nodes_of_trees(splits)])
    node = leaves.reshape(len(matrix), -1).astype(np.int64) + firsts
    added: Floats = splits.value[node]
    return added


def _sampled(validation: LabelledEvents, seed: int) -> tuple[NDArray[np.intp], Floats]:
    """Every fraud, and as many legitimate events as suffice, weighted for those left out."""
    legitimate = np.flatnonzero(~validation.fraud)
    weight = validation.weight.copy()
    if len(legitimate) > _MOST_LEGITIMATE:
        weight[legitimate] *= len(legitimate) / _MOST_LEGITIMATE
        legitimate = np.random.default_rng(seed).choice(legitimate, _MOST_LEGITIMATE, replace=False)
    rows = np.sort(np.concatenate([np.flatnonzero(validation.fraud), legitimate]))
    return rows, weight[rows]


def _loss(logit: Floats, fraud: NDArray[np.bool_], weight: Floats) -> float:
    return float(np.sum(weight * log_loss(logit, fraud)))
