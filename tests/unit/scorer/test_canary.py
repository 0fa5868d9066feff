"""Two models act in one batch: each event by one of them, scored by both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from feature_store.clock import clock_named
from feature_store.log import decode_log, feature_matrix
from streams.messages import Decision
from streams.messages.policy import Thresholds
from streams.models.canary import Canary, CanaryDraw
from streams.models.champion import load_champion
from streams.models.watcher import Acting
from streams.policies import compile_policy
from streams.policies.actions import APPROVE, DECLINE, REVIEW
from streams.scorer.core import ScorerCore
from streams.scorer.records import SourceRecord
from tests.support.models import small_model
from tests.support.payments import MONDAY, SECOND, encoded, pipeline_of, shipped_tree
from tests.support.policies import FixedModel, decide, document_of

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.evidence import Evidence

LOGGED = ["model", "score", "margin", "engine"]
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


def test_one_review_margin_means_the_champions_scale_for_both(pipeline: Pipeline) -> None:
    drawn, n = drawn_of(pipeline), len(CUSTOMERS)
    policy = compile_policy(
        pipeline, document_of(pipeline, thresholds=Thresholds(0.3, 0.99), review_margin=0.0)
    )
    events = [{pipeline.event.key: customer} for customer in CUSTOMERS]
    champion, canary = FixedModel("m1", [-9.0] * n), FixedModel("m2", [-1.0] * n)
    canary.scores = lambda margins: 0.6 + 0 * margins  # type: ignore[method-assign]  # on another scale
    found = decide(pipeline, policy, events, champion, canary=canary)
    assert found.policy_actions.tolist() == [REVIEW if each else APPROVE for each in drawn]


def test_decisions_log_and_reasons_say_which_model_acted(pipeline: Pipeline) -> None:
    vector = pipeline.feature_vector
    one, other = (
        load_champion(*small_model(pipeline, version, seed=seed), vector)
        for version, seed in (("m1", 1), ("m2", 2))
    )
    draw = CanaryDraw(pipeline.name, "m2", 0.5)
    acting = Acting(3, one, canary=Canary(other, draw, pipeline.event.key))
    records = [
        SourceRecord(n % 2, n, *encoded(n, amount=900, customer_id=f"c{n}"), 0, MONDAY + n * SECOND)
        for n in range(30)
    ]
    result = fresh_core(pipeline).step(records, acting)
    told = [msgspec.json.decode(each.message, type=Decision) for each in result.decided]
    drawn = draw.drawn(pa.array([f"c{n}" for n in range(30)])).tolist()
    models = ["m2" if each else "m1" for each in drawn]
    assert [each.model for each in told] == models == [each.model for each in result.decided]
    logged: dict[int, dict[str, Any]] = {}
    for log in result.log:
        batch, meta = decode_log(log.message)
        assert meta.release_epoch == 3
        logged |= dict(
            zip(
                batch.column("source_offset").to_numpy().tolist(),
                batch.select(LOGGED).to_pylist(),
                strict=True,
            )
        )
        matrix = feature_matrix(batch, [each.name for each in vector])
        for model in (one, other):
            rows = [row["model"] == model.version for row in batch.select(LOGGED).to_pylist()]
            margins = np.array([row["margin"] for row in batch.select(LOGGED).to_pylist()])
            assert np.array_equal(model.margins(matrix)[rows], margins[rows])
    assert [logged[n]["model"] for n in range(30)] == models
    assert [logged[n]["score"] for n in range(30)] == [each.score for each in told]
    assert all(each.reasons for each in told)
    alone = {
        model.version: [
            msgspec.json.decode(each.message, type=Decision).reasons
            for each in fresh_core(pipeline).step(records, Acting(3, model)).decided
        ]
        for model in (one, other)
    }
    assert [each.reasons for each in told] == [alone[model][n] for n, model in enumerate(models)]


def fresh_core(pipeline: Pipeline) -> ScorerCore:
    core = ScorerCore(pipeline, clock_named("stream"))
    for partition in range(2):
        core.add_partition(partition, 0)
    return core
