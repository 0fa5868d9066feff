"""Scores become actions by money or thresholds, and the control group draws among what is stopped."""

from __future__ import annotations

import numpy as np
import pytest

from feature_store.declaration.decision import Action, Costs
from feature_store.declaration.outcomes import ControlGroup
from streams.messages import Thresholds
from streams.policies.actions import ACTIONS, APPROVE, DECLINE, REVIEW
from streams.policies.control import ControlDraw
from streams.policies.money import cheapest_actions, threshold_actions

COSTS = Costs(amount="amount", review=4.0, false_decline=15.0)
NO_MARGINS = np.zeros(0)


def test_the_cheapest_action_follows_score_and_amount() -> None:
    scores = np.array([0.0, 0.01, 0.5, 0.99, 0.99])
    amounts = np.array([1_000.0, 100.0, 100.0, 100.0, 1.0])
    actions = [ACTIONS[i] for i in cheapest_actions(scores, NO_MARGINS, amounts, COSTS)]
    assert actions == [Action.APPROVE, Action.APPROVE, Action.REVIEW, Action.DECLINE, Action.DECLINE]


def test_the_cheapest_action_is_never_dearer_than_another_and_of_equal_ones_the_mildest() -> None:
    random = np.random.default_rng(3)
    scores, amounts = random.uniform(0, 1, 500), random.uniform(0, 2_000, 500)
    scores[:3], amounts[:3] = (0.5, 11 / 15, 0.5), (8.0, 4 / (11 / 15), 15.0)  # ties
    found = cheapest_actions(scores, NO_MARGINS, amounts, COSTS)
    for score, amount, chosen in zip(scores, amounts, found, strict=True):
        prices = [score * amount, 4.0, (1 - score) * 15.0]
        assert chosen == prices.index(min(prices))


def test_an_unknown_amount_costs_only_the_fixed_part() -> None:
    assert cheapest_actions(np.array([0.5]), NO_MARGINS, np.array([np.nan]), COSTS)[0] == APPROVE


def test_below_the_review_margin_the_cheaper_of_the_other_two_is_taken() -> None:
    scores, amounts = np.array([0.3, 0.3, 0.6, 0.6]), np.array([20.0, 20.0, 100.0, 100.0])
    margins = np.array([1.0, 0.9, 1.0, 0.9])
    assert cheapest_actions(scores, margins, amounts, COSTS).tolist() == [REVIEW] * 4
    found = cheapest_actions(scores, margins, amounts, COSTS, review_margin=1.0)
    assert found.tolist() == [REVIEW, APPROVE, REVIEW, DECLINE]


@pytest.mark.parametrize(
    ("thresholds", "actions"),
    [
        (Thresholds(0.5, 0.9), [APPROVE, REVIEW, REVIEW, DECLINE]),
        (Thresholds(0.5, None), [APPROVE, REVIEW, REVIEW, REVIEW]),
        (Thresholds(None, 0.9), [APPROVE, APPROVE, APPROVE, DECLINE]),
        (Thresholds(), [APPROVE] * 4),
    ],
)
def test_fixed_thresholds_are_reached_from_below(thresholds: Thresholds, actions: list[int]) -> None:
    scores = np.array([0.49, 0.5, 0.89, 0.9])
    assert threshold_actions(scores, scores, thresholds).tolist() == actions


def test_what_only_reaches_the_review_threshold_is_approved_below_the_review_margin() -> None:
    scores, margins = np.array([0.6, 0.6, 0.95]), np.array([2.0, 1.0, 1.0])
    found = threshold_actions(scores, margins, Thresholds(0.5, 0.9), review_margin=1.5)
    assert found.tolist() == [REVIEW, APPROVE, DECLINE]


def test_the_control_group_lets_through_at_its_rate_and_a_retry_draws_the_same() -> None:
    ids = [f"event-{n}" for n in range(20_000)]
    declined, drawn = np.full(20_000, DECLINE, np.int8), np.zeros(20_000, np.bool_)
    draw = ControlDraw(ControlGroup(rate=0.1, key="secret"))
    actions, propensities = draw.let_through(ids, declined, drawn)
    assert 0.09 < (actions == APPROVE).mean() < 0.11
    assert (propensities == 0.1).all()
    assert (declined == DECLINE).all()
    again, _ = ControlDraw(ControlGroup(rate=0.1, key="secret")).let_through(ids, declined, drawn)
    assert (again == actions).all()
    other, _ = ControlDraw(ControlGroup(rate=0.1, key="another")).let_through(ids, declined, drawn)
    assert (other != actions).any()


def test_what_is_approved_is_not_at_risk_and_a_final_word_is_not_drawn_for() -> None:
    draw = ControlDraw(ControlGroup(rate=1.0, key="secret"))
    actions, propensities = draw.let_through(
        ["a", "b", "c"],
        np.array([APPROVE, DECLINE, DECLINE], np.int8),
        np.array([False, True, False]),
    )
    assert actions.tolist() == [APPROVE, DECLINE, APPROVE]
    assert propensities.tolist() == [1.0, 0.0, 1.0]


def test_without_a_control_group_nothing_stopped_gets_through() -> None:
    stopped = np.array([REVIEW], np.int8)
    actions, propensities = ControlDraw(ControlGroup()).let_through(["e"], stopped, np.array([False]))
    assert (actions.tolist(), propensities.tolist()) == ([REVIEW], [0.0])
