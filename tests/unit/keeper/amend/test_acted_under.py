"""It is decided again by the model and the policy of the first decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.kafka import plain_producer
from streams.messages import Decision, PolicyDocument, Thresholds
from streams.messages.policy import policy_key
from tests.support.models import counting_model
from tests.unit.keeper.amend.late import COUNT, Start, decisions_about, publish_model, write_late
from training import releases
from training.keeper.queries import sql

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


def test_it_is_decided_under_the_policy_of_the_first_decision(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    publish_policies(pipeline, bootstrap, Thresholds(review=0.5), Thresholds(decline=0.5))
    write_late(pipeline, bootstrap, policy_offset=0)
    keeping.amend()
    _, (_, _, amended) = decisions_about(pipeline, bootstrap)
    assert msgspec.json.decode(amended, type=Decision).action == "review"


def test_what_a_canary_decided_is_amended_by_the_canary(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    canary = counting_model(pipeline, "m2", COUNT)
    keeping.parts.publisher.publish(*canary, why="test", step=releases.canary("m2", 0.5))
    write_late(pipeline, bootstrap, model="m2")
    keeping.amend()
    _, (_, _, amended) = decisions_about(pipeline, bootstrap)
    assert msgspec.json.decode(amended, type=Decision).model == "m2"


def test_a_policy_that_compaction_took_from_its_topic_is_in_the_store(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    document = msgspec.json.encode(policy_document(pipeline, Thresholds(review=0.5))).decode()
    noted = {"version": 1, "offset": 7, "made_at": "", "made_by": "", "why": "", "document": document}
    keeping.parts.store.execute(sql("add_policy"), noted)
    write_late(pipeline, bootstrap, policy_offset=7)
    keeping.amend()
    _, (_, _, amended) = decisions_about(pipeline, bootstrap)
    assert msgspec.json.decode(amended, type=Decision).action == "review"


def policy_document(pipeline: Pipeline, thresholds: Thresholds) -> PolicyDocument:
    return PolicyDocument(pipeline.name, 1, "2026-01-01T00:00:00Z", "test", "test", thresholds=thresholds)


def publish_policies(pipeline: Pipeline, bootstrap: str, *thresholds: Thresholds) -> None:
    """A document for each, at offsets from 0 on."""
    producer = plain_producer(bootstrap)
    for each in thresholds:
        value = msgspec.json.encode(policy_document(pipeline, each))
        producer.produce(pipeline.topics.policy, key=policy_key(pipeline.name), value=value, partition=0)
    assert producer.flush(30) == 0
