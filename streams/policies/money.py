"""What the score alone asks for: the least expected cost, or fixed thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.policies.actions import APPROVE, DECLINE, REVIEW

if TYPE_CHECKING:
    from feature_store.declaration.decision import Costs
    from streams.messages import Thresholds
    from streams.models.engine import Vector
    from streams.policies.actions import Strengths


def cheapest_actions(
    scores: Vector, margins: Vector, amounts: Vector, costs: Costs, review_margin: float | None = None
) -> Strengths:
    """The action with the least expected cost per event; on a tie the milder one.

    A missed fraud costs what ``missed_costs`` says; a review costs its price, and finds the truth; a decline
    costs ``false_decline`` when the event was legitimate. All in the amount's currency unit.
    Below ``review_margin`` there is no review: the cheaper of the other two is taken.
    """
    approving = scores * missed_costs(amounts, costs)
    declining = (1.0 - scores) * costs.false_decline
    without_review = np.where(declining < approving, DECLINE, APPROVE)
    reviewed = costs.review < np.minimum(approving, declining)
    reviewed |= (costs.review == declining) & (costs.review < approving)  # of two equal costs the milder
    if review_margin is not None:
        reviewed &= margins >= review_margin
    return np.where(reviewed, REVIEW, without_review).astype(np.int8)


def missed_costs(amounts: Vector, costs: Costs) -> Vector:
    """What each event costs if it is approved and is a fraud; an absent amount (NaN) counts as 0."""
    missed: Vector = np.where(np.isnan(amounts), 0.0, amounts) * costs.missed_fraud_share + costs.missed_fraud
    return missed


def threshold_actions(
    scores: Vector, margins: Vector, thresholds: Thresholds, review_margin: float | None = None
) -> Strengths:
    """The action whose threshold the score reaches; what is only a review is approved below its margin."""
    strengths = np.zeros(len(scores), np.int8)
    if thresholds.review is not None:
        reviewed = scores >= thresholds.review
        if review_margin is not None:
            reviewed &= margins >= review_margin
        strengths[reviewed] = REVIEW
    if thresholds.decline is not None:
        strengths[scores >= thresholds.decline] = DECLINE
    return strengths
