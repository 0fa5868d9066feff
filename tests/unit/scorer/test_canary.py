"""Two models act in one batch: each event by one of them, scored by both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from streams.models.canary import CanaryDraw
from streams.policies import compile_policy
from streams.policies.actions import APPROVE, DECLINE
from tests.support.payments import pipeline_of, shipped_tree
from tests.support.policies import FixedModel, decide, document_of

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.evidence import Evidence

CUSTOMERS = [f"customer-{n}" for n in range(12)]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    tree = shipped_tree()
    tree["outcomes"]["control_group"]["rate"] = 0.0
    return pipeline_of(tree, tmp_path)[1]


def drawn_of(pipeline: Pipeline) -> list[bool]:
    draw = CanaryDraw(pipeline.name, "m2", 0.5)
    drawn: list[bool] = draw.drawn(pa.array(CUSTOMERS)).tolist()
    assert 0 < sum(drawn) < len(drawn)
    return drawn


def decided(pipeline: Pipeline, champion: FixedModel, canary: FixedModel) -> Evidence:
    policy = compile_policy(pipeline, document_of(pipeline))
    events = [{pipeline.event.key: customer} for customer in CUSTOMERS]
    return decide(pipeline, policy, events, champion, canary=canary)


def test_each_event_is_decided_by_one_and_scored_by_both(pipeline: Pipeline) -> None:
    drawn = drawn_of(pipeline)
    n = len(CUSTOMERS)
    found = decided(pipeline, FixedModel("m1", [-9.0] * n), FixedModel("m2", [9.0] * n))
    assert found.models == ["m2" if each else "m1" for each in drawn]
    assert found.engines == ["fixed"] * n
    assert found.margins.tolist() == [9.0 if each else -9.0 for each in drawn]
    assert found.policy_actions.tolist() == [DECLINE if each else APPROVE for each in drawn]
    low, high = 1 / (1 + math.exp(9.0)), 1 / (1 + math.exp(-9.0))
    for each, scores in zip(drawn, found.shadows, strict=True):
        assert scores == pytest.approx({"m1": low} if each else {"m2": high})
    assert found.fallbacks == [None] * n


def test_the_champion_decides_where_the_canary_fails(pipeline: Pipeline) -> None:
    n = len(CUSTOMERS)
    found = decided(pipeline, FixedModel("m1", [9.0] * n), FixedModel("m2", RuntimeError("no")))
    assert found.models == ["m1"] * n
    assert found.fallbacks == [None] * n
    assert found.shadows == [{}] * n
    assert found.failures == {"m2": "RuntimeError('no')"}


def test_the_champion_decides_an_event_that_the_canary_gives_no_number(pipeline: Pipeline) -> None:
    first = drawn_of(pipeline).index(True)
    margins = np.full(len(CUSTOMERS), 9.0)
    margins[first] = np.inf
    found = decided(pipeline, FixedModel("m1", [-9.0] * len(CUSTOMERS)), FixedModel("m2", margins.tolist()))
    assert found.models[first] == "m1"
    assert found.shadows[first] == {}
    assert found.models.count("m2") == sum(drawn_of(pipeline)) - 1


def test_the_canary_decides_its_events_where_the_champion_fails(pipeline: Pipeline) -> None:
    drawn, n = drawn_of(pipeline), len(CUSTOMERS)
    found = decided(pipeline, FixedModel("m1", RuntimeError("no")), FixedModel("m2", [9.0] * n))
    assert found.models == ["m2" if each else None for each in drawn]
    assert found.fallbacks == [None if each else "model_failed" for each in drawn]
    assert np.isnan(found.scores).tolist() == [not each for each in drawn]
