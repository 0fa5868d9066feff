"""Review capacity in a keeper: rows in the store, a champion on the topic, a policy that follows."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from msgspec.structs import replace

from feature_store.declaration.load import load_pipeline
from feature_store.units import to_text
from streams.messages import Calibration, PolicyDocument, PolicyRule
from streams.policies import compile_policy
from streams.policies.actions import REVIEW
from tests.unit.keeper.conftest import PIPELINE
from tests.unit.keeper.test_publish import manifest
from tests.unit.keeper.written import START, until, write_batches
from training.keeper.client import KeeperClient
from training.keeper.parts import KeeperSettings
from training.keeper.policies import KEEPER, Policies
from training.keeper.review_capacity import ReviewCapacity
from training.keeper.review_demand import DAY, Scoring, review_demand, today
from training.keeper.service import run
from training.keeper.sink import Sink
from training.publish_policy import PolicyPublisher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts

CAPACITY = 24
SIZE = 720
"""Events of each partition, a minute apart: twelve hours."""
NOW = START + SIZE * 60_000_000


@pytest.fixture
def config(tmp_path: Path, unique: str) -> Path:
    path = tmp_path / "pipeline.yaml"
    limited = PIPELINE.replace("decision: {{", f"decision: {{{{review_capacity: {CAPACITY}, ")
    path.write_text(limited.format(name=unique), encoding="utf-8")
    return path


@pytest.fixture
def parts(new_parts: Callable[..., Parts], pipeline: Pipeline, bootstrap: str) -> Parts:
    """A keeper that has sunk half a day of events, which a champion has scored."""
    write_batches(pipeline, bootstrap, 0, batches=1, size=SIZE)
    made = new_parts()
    sink = Sink(made)
    until(lambda: made.store.execute("SELECT count(*) FROM scored").fetchone() == (2 * SIZE,), sink.step)
    sink.close()
    score(made, "v1")
    made.clock.observe(NOW)
    return made


def score(parts: Parts, model: str) -> None:
    """Scores from 0 to 1, margins that are their log odds, a thousand at stake: most are worth a review."""
    parts.store.execute(
        "UPDATE scored SET model = $model, amount = 1000, score = (source_offset + 0.5) / $size, "
        "margin = ln((source_offset + 0.5) / ($size - source_offset - 0.5)), "
        "rules = [], policy_action = 'approve', action = 'approve'",
        {"model": model, "size": SIZE},
    )


def champion(parts: Parts, pipeline: Pipeline, number: int, **changes: Any) -> str:
    of = manifest(pipeline, number, b"trees")
    parts.publisher.publish(replace(of, **changes), b"trees", "test")
    return of.version


@pytest.fixture
def policies(parts: Parts, pipeline: Pipeline, bootstrap: str) -> Policies:
    return Policies(parts, PolicyPublisher(bootstrap, pipeline, lambda: to_text(parts.clock.now())))


def asked(parts: Parts, pipeline: Pipeline, document: PolicyDocument) -> int:
    """How many of the stored events the score alone sends to review under ``document``."""
    found = parts.store.execute("SELECT score, margin, amount::DOUBLE AS amount FROM scored").fetchnumpy()
    scores, margins, amounts = (np.asarray(found[name], np.float64) for name in ("score", "margin", "amount"))
    policy = compile_policy(pipeline, document)
    return int((policy.by_score(scores, margins, amounts, pipeline.decision.costs) == REVIEW).sum())


def test_reviews_by_score_are_cut_to_what_fits_and_then_left_alone(
    parts: Parts, policies: Policies, pipeline: Pipeline
) -> None:
    capacity = ReviewCapacity(parts, policies)
    assert not capacity.look(), "without a champion there is nothing to limit"
    parts.store.execute("UPDATE scored SET model = $model", {"model": champion(parts, pipeline, 1)})
    before = policies.in_force().document
    assert asked(parts, pipeline, before) > 10 * CAPACITY
    assert capacity.look()
    document = policies.in_force().document
    assert (document.version, document.made_by) == (1, KEEPER)
    assert f"{CAPACITY} reviews a day" in document.why
    # Twelve hours were seen: half a day's worth of them fits.
    assert asked(parts, pipeline, document) == CAPACITY // 2
    assert not capacity.look()
    assert [each.document.version for each in policies.history()] == [1]


def test_what_rules_ask_for_comes_first_and_what_lists_settle_is_no_demand(
    parts: Parts, policies: Policies, pipeline: Pipeline
) -> None:
    version = champion(parts, pipeline, 1)
    parts.store.execute("UPDATE scored SET model = $model", {"model": version})
    parts.store.execute(
        "UPDATE scored SET rules = ['limit'], policy_action = 'review' WHERE source_offset % 120 = 119"
    )
    parts.store.execute("UPDATE scored SET rules = ['list:ours'] WHERE source_offset >= 360 AND rules = []")
    rule = {"name": "limit", "when": "amount > 5000", "action": "review"}
    ours = {"name": "ours", "kind": "allow", "field": "card", "entries": [{"value": "c1"}]}
    content = {"rules": [rule], "lists": [ours]}
    policies.asked({"made_by": "ann", "why": "test", "content": content})
    with parts.store.cursor() as cursor:
        by = Scoring(policies.in_force().document, parts.publisher.read().manifests[version])
        demand = review_demand(cursor, pipeline, by, parts.clock.now())
    assert demand.ruled == pytest.approx(24, rel=0.01)
    assert demand.margins.max() == pytest.approx(np.log(358.5 / 361.5))
    assert ReviewCapacity(parts, policies).look()
    document = policies.in_force().document
    assert document.rules == [PolicyRule("limit", "amount > 5000", "review")]
    assert document.review_margin is not None
    assert document.review_margin > demand.margins.max(), "rules take the whole day"


def test_another_models_scores_are_read_on_the_champions_scale(
    parts: Parts, policies: Policies, pipeline: Pipeline
) -> None:
    version = champion(parts, pipeline, 1, calibration=Calibration(slope=2.0, intercept=-3.0))
    document = replace(policies.in_force().document, review_margin=None)
    by = Scoring(document, parts.publisher.read().manifests[version])
    with parts.store.cursor() as cursor:
        demand = review_demand(cursor, pipeline, by, parts.clock.now())
        parts.store.execute("UPDATE scored SET model = $model", {"model": version})
        own = review_demand(cursor, pipeline, by, parts.clock.now())
    np.testing.assert_allclose(demand.margins, (own.margins + 3.0) / 2.0, rtol=1e-9)


def test_the_queue_is_what_of_the_day_nobody_has_spoken_about(parts: Parts, pipeline: Pipeline) -> None:
    parts.store.execute("UPDATE scored SET action = 'review' WHERE source_offset % 60 = 0")
    parts.store.execute(
        "INSERT INTO outcomes SELECT 0, row_number() OVER (), event_id, 'legitimate', 'analyst', decided_at, "
        "decided_at FROM scored WHERE source_offset < 120 AND action = 'review'"
    )
    with parts.store.cursor() as cursor:
        found = today(cursor, pipeline, CAPACITY, NOW)
        tomorrow = today(cursor, pipeline, CAPACITY, NOW + DAY)
    assert (found.waiting, found.left) == (2 * (12 - 2), 0.5)
    assert tomorrow.waiting == 0


def test_rules_that_alone_ask_for_too_much_are_told_once(
    parts: Parts, policies: Policies, pipeline: Pipeline
) -> None:
    champion(parts, pipeline, 1)
    rule = {"name": "limit", "when": "amount > 5", "action": "review"}
    policies.asked({"made_by": "ann", "why": "test", "content": {"rules": [rule]}})
    parts.store.execute("UPDATE scored SET rules = ['limit'], policy_action = 'review'")
    capacity = ReviewCapacity(parts, policies)
    capacity.look()
    capacity.look()
    told = parts.store.execute("SELECT kind FROM alerts").fetchall()
    assert told == [("reviews_exceed_capacity",)]


def test_a_limit_is_taken_back_when_the_capacity_is_declared_no_more(
    parts: Parts, policies: Policies, pipeline: Pipeline
) -> None:
    parts.store.execute("UPDATE scored SET model = $model", {"model": champion(parts, pipeline, 1)})
    ReviewCapacity(parts, policies).look()
    free = pipeline.model_copy(
        update={"decision": pipeline.decision.model_copy(update={"review_capacity": None})}
    )
    policies.asked({"made_by": "ann", "why": "test", "edits": [{"edit": "thresholds", "thresholds": None}]})
    later = replace_pipeline(parts, free)
    capacity = ReviewCapacity(later, policies)
    capacity.start()
    capacity.stop()
    document = policies.in_force().document
    assert (document.review_margin, document.made_by) == (None, KEEPER)
    given = {"made_by": "ann", "why": "by hand", "content": {"review_margin": 2.0}}
    Policies(later, PolicyPublisher(parts.settings.bootstrap, free, str)).asked(given)
    hand = Policies(later, PolicyPublisher(parts.settings.bootstrap, free, str))
    assert not hand.margin_is_ours()


def replace_pipeline(parts: Parts, pipeline: Pipeline) -> Parts:
    """The same keeper's parts with another pipeline file."""
    return dataclasses.replace(parts, pipeline=pipeline)


def test_a_keeper_that_runs_moves_the_margin_by_itself(
    parts: Parts, pipeline: Pipeline, config: Path, bootstrap: str, tmp_path: Path
) -> None:
    version = champion(parts, pipeline, 1)
    parts.store.execute("UPDATE scored SET model = $model", {"model": version})
    parts.store.close()
    stop = threading.Event()
    keeper = threading.Thread(target=run, args=(KeeperSettings(config, bootstrap, tmp_path), stop))
    keeper.start()
    try:
        until((tmp_path / "keeper.json").exists, lambda: threading.Event().wait(0.1), most=600)
        with KeeperClient(tmp_path) as client:
            until(
                lambda: client.policy()["document"]["review_margin"] is not None,
                lambda: threading.Event().wait(0.1),
                most=600,
            )
            assert client.policy()["document"]["made_by"] == KEEPER
            assert load_pipeline(config).decision.review_capacity == CAPACITY
    finally:
        stop.set()
        keeper.join()
