"""Scores become actions by money, rules and the control group."""

from __future__ import annotations

import numpy as np

from feature_store.declaration.decision import Action, Costs, Rule
from feature_store.declaration.outcomes import ControlGroup
from streams.policy import ACTIONS, cheapest_actions, ruled_actions, verdict

COSTS = Costs(amount="amount", review=4.0, false_decline=15.0)


def test_the_cheapest_action_follows_score_and_amount() -> None:
    scores = np.array([0.0, 0.01, 0.5, 0.99, 0.99])
    amounts = np.array([1_000.0, 100.0, 100.0, 100.0, 1.0])
    actions = [ACTIONS[i] for i in cheapest_actions(scores, amounts, COSTS)]
    assert actions == [Action.APPROVE, Action.APPROVE, Action.REVIEW, Action.DECLINE, Action.DECLINE]


def test_the_cheapest_action_is_never_dearer_than_another() -> None:
    random = np.random.default_rng(3)
    scores, amounts = random.uniform(0, 1, 500), random.uniform(0, 2_000, 500)
    for score, amount, chosen in zip(scores, amounts, cheapest_actions(scores, amounts, COSTS), strict=True):
        prices = [score * amount, 4.0, (1 - score) * 15.0]
        assert prices[chosen] == min(prices)


def test_an_unknown_amount_costs_only_the_fixed_part() -> None:
    assert cheapest_actions(np.array([0.5]), np.array([np.nan]), COSTS)[0] == 0


def test_the_strongest_matching_rule_counts() -> None:
    rules = (
        Rule(name="watch", when="true", action=Action.REVIEW),
        Rule(name="stop", when="true", action=Action.DECLINE),
    )
    flags = np.array([[False, False], [True, False], [True, True]])
    assert ruled_actions(flags, rules).tolist() == [0, 1, 2]


def test_the_control_group_lets_through_at_its_rate_and_a_retry_draws_the_same() -> None:
    control = ControlGroup(rate=0.1, key="secret")
    verdicts = [verdict(f"event-{n}", 2, control) for n in range(20_000)]
    through = [v for v in verdicts if v.action is Action.APPROVE]
    assert 0.09 < len(through) / len(verdicts) < 0.11
    assert all(v.propensity == 0.1 and v.policy_action is Action.DECLINE for v in verdicts)
    assert verdicts == [verdict(f"event-{n}", 2, control) for n in range(20_000)]
    other = [verdict(f"event-{n}", 2, ControlGroup(rate=0.1, key="another")) for n in range(20_000)]
    assert verdicts != other


def test_what_is_approved_is_not_at_risk() -> None:
    found = verdict("e", 0, ControlGroup(rate=0.5, key="secret"))
    assert (found.action, found.propensity) == (Action.APPROVE, 1.0)


def test_without_a_control_group_nothing_stopped_gets_through() -> None:
    found = verdict("e", 1, ControlGroup())
    assert (found.action, found.propensity) == (Action.REVIEW, 0.0)
