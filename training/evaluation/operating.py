"""The operating point: the actions with the least expected cost, what they hit, and what they cost in money.

Everything is a sum over events, so it is added up per entity once, and a resample is one product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.policies.actions import APPROVE, DECLINE, REVIEW
from streams.policies.money import cheapest_actions, missed_costs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.decision import Costs
    from streams.policies.actions import Strengths
    from training.evaluation.scored import Scored

    Column = NDArray[np.float64]
    Table = NDArray[np.float64]


def cheapest(scored: Scored, costs: Costs) -> Strengths:
    """What the scorer would do by score and amount alone: no rules, no lists, no limit to reviews."""
    return cheapest_actions(scored.score, scored.score, scored.amount, costs)


SUMS = (
    "all",
    "fraud",
    "stopped",
    "hit",
    "missed",
    "reviews",
    "false_declines",
    "approving_all",
    "squared_error",
)


def summands(scored: Scored, actions: Strengths, costs: Costs) -> Table:
    """What each event adds, unweighted, to each of ``SUMS``; money as in ``cheapest_actions``, by the truth.

    A fraud under review is found: it costs the review.
    """
    missed = missed_costs(scored.amount, costs)
    fraud, stopped = scored.fraud, actions != APPROVE
    columns = (
        np.ones(len(scored)),
        fraud,
        stopped,
        stopped & fraud,
        np.where(fraud & ~stopped, missed, 0.0),
        np.where(actions == REVIEW, costs.review, 0.0),
        np.where((actions == DECLINE) & ~fraud, costs.false_decline, 0.0),
        np.where(fraud, missed, 0.0),
        (scored.score - fraud) ** 2,
    )
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def from_sums(table: Table) -> dict[str, Column]:
    """The measures, from weighted sums (resamples, sums); NaN where one is undefined."""
    sums = dict(zip(SUMS, table.T, strict=True))
    every, fraud, stopped, hit = (sums[name] for name in ("all", "fraud", "stopped", "hit"))
    lost = sums["missed"] + sums["reviews"] + sums["false_declines"]
    return {
        "prevalence": ratio(fraud, every),
        "precision": ratio(hit, stopped),
        "recall": ratio(hit, fraud),
        "f1": ratio(2 * hit, stopped + fraud),
        "accuracy": ratio(every - fraud - stopped + 2 * hit, every),
        "stopped": ratio(stopped, every),
        "brier": ratio(sums["squared_error"], every),
        **{name: sums[name] for name in ("missed", "reviews", "false_declines", "approving_all")},
        "lost": lost,
        "saved": sums["approving_all"] - lost,
    }


def ratio(part: Column, whole: Column) -> Column:
    """NaN where the whole is nothing."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
