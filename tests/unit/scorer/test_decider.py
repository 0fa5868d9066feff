"""An event without a score that can be trusted falls back as declared, and its decision says why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from feature_store.errors import ConfigError
from streams.policies import compile_policy
from streams.policies.actions import APPROVE, DECLINE, REVIEW
from tests.support.payments import MONDAY, SECOND, pipeline_of, private_pipeline, shipped_tree
from tests.support.policies import FixedModel, decide, document_of

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

LARGE_ABROAD = {"amount": 450, "country": "FR"}  # what the shipped cold-start rules review


def declared(folder: Path, **decision: Any) -> Pipeline:
    tree = shipped_tree()
    tree["outcomes"]["control_group"]["rate"] = 0.0
    tree["decision"] |= decision
    return pipeline_of(tree, folder)[1]


def test_before_the_first_champion_the_cold_start_rules_decide_whatever_the_fallback(tmp_path: Path) -> None:
    pipeline = declared(tmp_path, fallback="decline", deadline="1s")
    policy = compile_policy(pipeline, document_of(pipeline))
    found = decide(pipeline, policy, [{}, LARGE_ABROAD], arrived=[MONDAY, MONDAY - 9 * SECOND])
    assert found.policy_actions.tolist() == [APPROVE, REVIEW]
    assert found.fallbacks == ["cold_start", "cold_start"]
    assert found.rules == [[], ["large_abroad"]]
    assert (found.models, found.failures) == ([None, None], {})


def test_an_event_that_waited_longer_than_its_deadline_is_not_scored(tmp_path: Path) -> None:
    pipeline = declared(tmp_path, deadline="2s")
    policy = compile_policy(pipeline, document_of(pipeline))
    champion = FixedModel("m1", [9.0, 9.0, 9.0])
    arrived = [MONDAY - 2 * SECOND, MONDAY - 2 * SECOND - 1, MONDAY - 60 * SECOND]
    found = decide(pipeline, policy, [{}, {}, LARGE_ABROAD], champion, arrived=arrived)
    assert champion.rows == [0]
    assert found.fallbacks == [None, "deadline", "deadline"]
    assert found.policy_actions.tolist() == [DECLINE, APPROVE, REVIEW]
    assert found.models == ["m1", None, None]
    assert [math.isnan(score) for score in found.scores] == [False, True, True]


def test_where_every_event_waited_too_long_no_model_is_asked(tmp_path: Path) -> None:
    pipeline = declared(tmp_path, deadline="2s")
    champion = FixedModel("m1", RuntimeError("must not be asked"))
    policy = compile_policy(pipeline, document_of(pipeline))
    found = decide(pipeline, policy, [{}, {}], champion, arrived=[0, 0])
    assert (found.fallbacks, found.failures) == (["deadline"] * 2, {})


@pytest.mark.parametrize(("fallback", "action"), [("approve", 0), ("review", 1), ("decline", 2)])
def test_the_declared_fallback_decides_with_the_rules(tmp_path: Path, fallback: str, action: int) -> None:
    pipeline = declared(tmp_path, fallback=fallback, required_features=["customer_id_mean_amount_24h"])
    policy = compile_policy(pipeline, document_of(pipeline))
    found = decide(
        pipeline,
        policy,
        [{}, {}, {"amount": 6_000}],
        FixedModel("m1", [-9.0, -9.0, -9.0]),
        customer_id_mean_amount_24h=[1.0, math.nan, math.nan],
    )
    assert found.fallbacks == [None, "missing_feature", "missing_feature"]
    assert found.policy_actions.tolist() == [APPROVE, action, max(action, REVIEW)]
    assert found.rules == [[], [], ["amount_limit"]]


def test_a_champion_that_raises_makes_the_batch_fall_back_and_is_reported(tmp_path: Path) -> None:
    pipeline = declared(tmp_path, required_features=["customer_id_mean_amount_24h"])
    policy = compile_policy(pipeline, document_of(pipeline))
    found = decide(
        pipeline,
        policy,
        [{}, LARGE_ABROAD, {}],
        FixedModel("m1", RuntimeError("out of memory")),
        shadows=[FixedModel("s1", [0.0, 0.0, 0.0])],
        customer_id_mean_amount_24h=[1.0, 1.0, math.nan],
    )
    assert found.fallbacks == ["model_failed", "model_failed", "missing_feature"]
    assert found.policy_actions.tolist() == [APPROVE, REVIEW, APPROVE]
    assert found.failures == {"m1": "RuntimeError('out of memory')"}
    assert found.shadows == [{"s1": 0.5}, {"s1": 0.5}, {}]


def test_a_number_that_is_none_falls_back_alone(tmp_path: Path) -> None:
    pipeline = declared(tmp_path)
    policy = compile_policy(pipeline, document_of(pipeline))
    found = decide(pipeline, policy, [{}, {}], FixedModel("m1", [math.inf, 9.0]))
    assert found.fallbacks == ["no_score", None]
    assert found.policy_actions.tolist() == [APPROVE, DECLINE]


def test_shadows_score_the_same_events_and_a_failing_one_is_left_out(tmp_path: Path) -> None:
    pipeline = declared(tmp_path)
    policy = compile_policy(pipeline, document_of(pipeline))
    shadows = [
        FixedModel("s1", [0.0, math.nan]),
        FixedModel("s2", ValueError("no")),
        FixedModel("s3", [0.0, 0.0]),
    ]
    found = decide(pipeline, policy, [{}, {}], FixedModel("m1", [-9.0, -9.0]), shadows=shadows)
    assert found.shadows == [{"s1": 0.5, "s3": 0.5}, {"s3": 0.5}]
    assert found.failures == {"s2": "ValueError('no')"}
    assert found.policy_actions.tolist() == [APPROVE, APPROVE]


def test_a_batch_of_no_events_is_decided_too(tmp_path: Path) -> None:
    pipeline = declared(tmp_path, deadline="2s", required_features=["night"])
    policy = compile_policy(pipeline, document_of(pipeline))
    found = decide(pipeline, policy, [], FixedModel("m1", []))
    assert (found.rules, found.fallbacks, len(found.actions)) == ([], [], 0)


def test_what_is_declared_must_be_there(tmp_path: Path) -> None:
    def refused(**decision: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            declared(tmp_path, **decision)
        return str(caught.value)

    assert "decision.required_features: 'nights' is not a feature" in refused(required_features=["nights"])
    assert "decision.deadline" in refused(deadline="0s")
    assert "decision.fallback" in refused(fallback="deny")
    bad = {"name": "bad", "kind": "deny", "field": "card", "values": ["k1"]}
    assert "there is no event field 'card'" in refused(lists=[bad])
    assert "lists are of string or integer fields" in refused(lists=[bad | {"field": "amount"}])
    assert "write it in quotes" in refused(lists=[bad | {"field": "card_id", "values": [4711]}])
    assert "two lists are named 'bad'" in refused(lists=[bad | {"field": "card_id"}] * 2)
    assert "review is above decline" in refused(thresholds={"review": 0.9, "decline": 0.5})


def test_the_pipeline_s_own_policy_has_what_its_file_declares(tmp_path: Path) -> None:
    _, pipeline = private_pipeline(tmp_path, "unit")
    decision = shipped_tree()["decision"] | {
        "thresholds": {"decline": 0.5},
        "lists": [{"name": "stolen", "kind": "deny", "field": "card_id", "values": ["k1"]}],
    }
    pipeline = pipeline_of(shipped_tree() | {"decision": decision}, tmp_path)[1]
    policy = compile_policy(pipeline, document_of(pipeline))
    found = decide(
        pipeline, policy, [{"card_id": "k1"}, {"card_id": "k2"}, {}], FixedModel("m", [-9.0, 0.1, -0.1])
    )
    assert found.policy_actions.tolist() == [DECLINE, DECLINE, APPROVE]
    assert found.rules == [["list:stolen"], [], []]
