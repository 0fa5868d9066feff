"""The policy is followed live: what can act acts, what cannot is refused and said so."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from feature_store.errors import PolicyError
from streams.kafka import Producer, ensure_topics, pipeline_topics, plain_producer
from streams.messages import EntityList, ListEntry, PolicyDocument, PolicyRule
from streams.messages.policy import policy_key
from streams.policies.watcher import PolicyWatcher
from tests.support.payments import private_pipeline
from tests.support.policies import Alerts, document_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import AlertSender
    from streams.broker import Broker


@pytest.fixture
def pipeline(tmp_path: Path, unique: str, embedded_broker: Broker) -> Pipeline:
    _, pipeline = private_pipeline(tmp_path, unique)
    ensure_topics(embedded_broker.bootstrap, pipeline_topics(pipeline))
    return pipeline


class Keeper:
    """Publishes documents and says at which offset each stands."""

    def __init__(self, producer: Producer, pipeline: Pipeline) -> None:
        self._producer = producer
        self._pipeline = pipeline

    def publish(self, document: PolicyDocument | bytes, pipeline: str | None = None) -> int:
        value = document if isinstance(document, bytes) else msgspec.json.encode(document)
        offsets: list[int] = []

        def delivered(error: object, message: object) -> None:
            assert error is None
            offsets.append(message.offset())  # type: ignore[attr-defined]

        key = policy_key(pipeline or self._pipeline.name)
        self._producer.produce(self._pipeline.topics.policy, value, key, on_delivery=delivered)
        assert self._producer.flush(30) == 0
        return offsets[0]


@pytest.fixture
def keeper(pipeline: Pipeline, embedded_broker: Broker) -> Keeper:
    return Keeper(plain_producer(embedded_broker.bootstrap), pipeline)


@pytest.fixture
def alerts() -> Alerts:
    return Alerts()


@pytest.fixture
def new_watcher(
    pipeline: Pipeline, embedded_broker: Broker, alerts: Alerts
) -> Iterator[Callable[[], PolicyWatcher]]:
    made: list[PolicyWatcher] = []

    def new() -> PolicyWatcher:
        made.append(PolicyWatcher(embedded_broker.bootstrap, pipeline, cast("AlertSender", alerts)))
        made[-1].start()
        return made[-1]

    yield new
    for watcher in made:
        watcher.stop()
        assert watcher.failure is None


def test_before_the_first_document_the_pipeline_file_is_in_force(
    new_watcher: Callable[[], PolicyWatcher],
) -> None:
    watcher = new_watcher()
    assert (watcher.active.offset, watcher.active.document.version) == (-1, 0)
    assert [rule.name for rule in watcher.active.document.rules] == ["amount_limit"]
    assert watcher.wait_for(-1, patience_s=0)
    assert not watcher.wait_for(0, patience_s=0)


def test_a_starting_worker_acts_under_the_newest_document_at_once(
    new_watcher: Callable[[], PolicyWatcher], keeper: Keeper, pipeline: Pipeline
) -> None:
    keeper.publish(document_of(pipeline, 1))
    offset = keeper.publish(document_of(pipeline, 2, rules=[]))
    watcher = new_watcher()
    assert (watcher.active.offset, watcher.active.document.version) == (offset, 2)
    assert watcher.active.rules is None


def test_a_document_takes_effect_while_the_worker_runs(
    new_watcher: Callable[[], PolicyWatcher], keeper: Keeper, pipeline: Pipeline
) -> None:
    watcher = new_watcher()
    stolen = EntityList("stolen", "deny", "card_id", [ListEntry("k1")])
    offset = keeper.publish(document_of(pipeline, 1, lists=[stolen]))
    assert watcher.wait_for(offset)
    assert (watcher.active.offset, watcher.active.document.lists) == (offset, [stolen])


def test_a_document_that_cannot_act_is_refused_by_name_and_reason_and_the_present_one_stays(
    new_watcher: Callable[[], PolicyWatcher], keeper: Keeper, pipeline: Pipeline, alerts: Alerts
) -> None:
    watcher = new_watcher()
    first = keeper.publish(document_of(pipeline, 1))
    bad = keeper.publish(document_of(pipeline, 2, rules=[PolicyRule("peek", "amont > 5", "decline")]))
    assert watcher.wait_for(bad)
    unreadable = keeper.publish(b'{"pipeline": 3}')
    back = keeper.publish(document_of(pipeline, 1, rules=[]))
    assert watcher.wait_for(back)
    assert watcher.active.offset == first
    kinds, texts = zip(*alerts.raised, strict=True)
    assert set(kinds) == {"policy_rejected"}
    assert "rules.peek" in texts[0]
    assert "amont" in texts[0]
    assert {"cannot be read" in text for text in texts[1:]} == {True, False}
    assert any(f"offset {unreadable} " in text for text in texts)
    assert any("version 1 of the policy is not after 1" in text for text in texts)
    good = keeper.publish(document_of(pipeline, 3, rules=[]))
    assert watcher.wait_for(good)
    assert watcher.active.document.version == 3


def test_a_starting_worker_passes_over_what_cannot_act_to_the_newest_that_can(
    new_watcher: Callable[[], PolicyWatcher], keeper: Keeper, pipeline: Pipeline, alerts: Alerts
) -> None:
    sound = keeper.publish(document_of(pipeline, 1))
    keeper.publish(document_of(pipeline, 2, pipeline="another"))
    watcher = new_watcher()
    assert watcher.active.offset == sound
    assert "for the pipeline 'another'" in alerts.raised[0][1]


def test_a_worker_that_can_act_under_no_published_document_does_not_start(
    new_watcher: Callable[[], PolicyWatcher], keeper: Keeper, pipeline: Pipeline
) -> None:
    stolen = EntityList("stolen", "deny", "card_id", [ListEntry("k1")])
    gone = PolicyRule("peek", "feature_of_before > 5", "decline")
    keeper.publish(document_of(pipeline, 1, lists=[stolen], rules=[gone]))
    with pytest.raises(PolicyError, match=r"feature_of_before.*`sluicegate policy`"):
        new_watcher()


def test_a_partition_is_not_taken_over_under_an_older_policy_than_it_was_decided_under(
    new_watcher: Callable[[], PolicyWatcher], keeper: Keeper, pipeline: Pipeline
) -> None:
    first = keeper.publish(document_of(pipeline, 1))
    second = keeper.publish(document_of(pipeline, 2, rules=[PolicyRule("peek", "gone > 5", "decline")]))
    watcher = new_watcher()
    assert watcher.not_before(first)
    with pytest.raises(PolicyError, match=rf"offset {second}, here only version 1 can act: .*gone"):
        watcher.not_before(second)


def test_documents_of_other_pipelines_on_the_same_topic_are_not_ours(
    new_watcher: Callable[[], PolicyWatcher], keeper: Keeper, pipeline: Pipeline, alerts: Alerts
) -> None:
    keeper.publish(document_of(pipeline, 7, pipeline="another"), pipeline="another")
    watcher = new_watcher()
    assert watcher.active.document.version == 0
    assert alerts.raised == []
