"""What a keeper that starts makes of the policy on the topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog
from msgspec.structs import replace

from feature_store.declaration.decision import QueueRule
from streams.messages import PolicyRule
from training.keeper.policies import Policies
from training.publish_policy import PolicyPublisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import PolicyDocument
    from training.keeper.parts import Parts


@pytest.fixture
def published(pipeline: Pipeline, bootstrap: str) -> PolicyDocument:
    """A policy that an earlier keeper published and did not live to note."""
    publisher = PolicyPublisher(bootstrap, pipeline, lambda: "2026-01-01T00:00:00.000000Z")
    rule = PolicyRule("large", "amount_eur > 100", "review")
    return publisher.publish(lambda now: replace(now, rules=[rule], made_by="ann", why="before")).document


def start(parts: Parts) -> Policies:
    return Policies(parts, PolicyPublisher(parts.settings.bootstrap, parts.pipeline, str))


def test_what_an_earlier_keeper_published_is_in_force_and_noted_once(
    new_parts: Callable[..., Parts], published: PolicyDocument
) -> None:
    for _ in range(2):
        policies = start(new_parts())
        assert policies.in_force().document == published
        assert [each.document for each in policies.history()] == [published]


def test_a_changed_pipeline_file_is_not_in_force_and_that_is_said(
    new_parts: Callable[..., Parts], pipeline: Pipeline, published: PolicyDocument
) -> None:
    rule = QueueRule.model_validate({"name": "small", "when": "amount_eur < 1", "action": "review"})
    decision = pipeline.decision.model_copy(update={"rules": (rule,)})
    with structlog.testing.capture_logs() as said:
        policies = start(new_parts(pipeline.model_copy(update={"decision": decision})))
    assert [line["version"] for line in said if line["event"] == "policy_file_not_in_force"] == [1]
    assert policies.in_force().document == published
    back = policies.asked({"made_by": "ann", "why": "the file is right", "from_file": True})
    assert [each.name for each in back.document.rules] == ["small"]


def test_a_policy_that_the_pipeline_file_has_no_features_for_raises_an_alert(
    new_parts: Callable[..., Parts], pipeline: Pipeline, published: PolicyDocument
) -> None:
    features = pipeline.features.model_copy(update={"rows": {"amount_usd": "amount * 2"}})
    parts = new_parts(pipeline.model_copy(update={"features": features}))
    policies = start(parts)
    ((kind, text),) = parts.store.execute("SELECT kind, text FROM alerts").fetchall()
    assert kind == "policy_misfit"
    assert "version 1" in text
    assert "amount_eur" in text
    assert policies.in_force().document == published


def test_the_policy_tells_what_the_pipeline_file_alone_decides(
    new_parts: Callable[..., Parts], pipeline: Pipeline
) -> None:
    told: dict[str, Any] = start(new_parts()).told()
    assert (told["offset"], told["review_capacity"]) == (-1, None)
    assert told["control_group"] == pipeline.outcomes.control_group.rate
