from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from feature_store.errors import ContractError, PolicyError
from streams.kafka import plain_producer, transactional_producer
from streams.messages import EntityList, ListEntry, PolicyRule
from streams.messages.policy import policy_key
from tests.unit.keeper.test_publish import NOW, publish
from training.publish import Publisher
from training.publish_policy import PolicyPublisher
from training.writer import KeeperWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import PolicyDocument


@pytest.fixture
def publisher(bootstrap: str, pipeline: Pipeline) -> PolicyPublisher:
    return PolicyPublisher(bootstrap, pipeline, lambda: NOW)


def ruled(name: str, when: str = "amount > 5") -> Callable[[PolicyDocument], PolicyDocument]:
    """Add a rule."""
    rule = PolicyRule(name, when, "review")
    return lambda now: replace(now, rules=[*now.rules, rule], made_by="ann", why=f"rule {name}")


def test_without_a_document_the_pipeline_file_is_in_force(publisher: PolicyPublisher) -> None:
    found = publisher.read()
    assert (found.offset, found.document.version, found.document.rules) == (-1, 0, [])


def test_each_version_follows_the_one_before_and_stands_where_it_is_said(
    publisher: PolicyPublisher, pipeline: Pipeline, bootstrap: str
) -> None:
    first = publisher.publish(ruled("one"))
    second = publisher.publish(ruled("two"))
    document = second.document
    assert first.offset < second.offset
    assert publisher.in_force() == second == PolicyPublisher(bootstrap, pipeline, lambda: NOW).read()
    assert (document.pipeline, document.version, document.made_at) == (pipeline.name, 2, NOW)
    assert (document.made_by, document.why) == ("ann", "rule two")
    assert [rule.name for rule in document.rules] == ["one", "two"]


def test_what_cannot_act_is_refused_and_nothing_is_written(publisher: PolicyPublisher) -> None:
    first = publisher.publish(ruled("one"))
    long = EntityList("long", "deny", "card", [ListEntry(f"c{i}", note="x" * 1_000) for i in range(1_000)])
    with pytest.raises(PolicyError, match="amont"):
        publisher.publish(ruled("two", "amont > 5"))
    with pytest.raises(PolicyError, match="select"):
        publisher.publish(ruled("two", "(select count(*) from read_csv('/etc/passwd')) > 1"))
    with pytest.raises(PolicyError, match="bytes"):
        publisher.publish(lambda now: replace(now, lists=[long]))
    assert publisher.read() == first


def test_a_policy_that_was_only_half_published_is_never_seen(
    publisher: PolicyPublisher, pipeline: Pipeline, bootstrap: str
) -> None:
    dying = transactional_producer(bootstrap, f"sluicegate.{pipeline.name}.keeper")
    dying.init_transactions(30)
    dying.begin_transaction()
    dying.produce(pipeline.topics.policy, key=policy_key(pipeline.name), value=b"{}", partition=0)
    dying.flush(30)
    assert publisher.read().offset == -1
    assert publisher.publish(ruled("one")).document.version == 1


def test_models_and_policy_are_published_at_once_without_fencing_each_other(
    pipeline: Pipeline, bootstrap: str
) -> None:
    writer = KeeperWriter(bootstrap, pipeline.name)
    policies = PolicyPublisher(bootstrap, pipeline, lambda: NOW, writer)
    models = Publisher(bootstrap, pipeline, lambda: NOW, writer)
    failed: list[BaseException] = []

    def work(act: Callable[[int], object]) -> None:
        try:
            for number in range(3):
                act(number)
        except BaseException as error:  # noqa: BLE001  (asserted on below)
            failed.append(error)

    acts: tuple[Callable[[int], object], ...] = (
        lambda number: policies.publish(ruled(f"rule_{number}")),
        lambda number: publish(models, pipeline, number),
    )
    threads = [threading.Thread(target=work, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    release = models.read().release
    assert release is not None
    assert (policies.read().document.version, release.epoch) == (3, 3)


def test_each_pipeline_has_its_own_policy_on_a_shared_topic(
    publisher: PolicyPublisher, pipeline: Pipeline, bootstrap: str
) -> None:
    publisher.publish(ruled("one"))
    other = pipeline.model_copy(update={"pipeline": "another"})
    assert PolicyPublisher(bootstrap, other, lambda: NOW).read().offset == -1


def test_a_document_of_a_later_version_of_the_program_is_not_written_over(
    publisher: PolicyPublisher, pipeline: Pipeline, bootstrap: str
) -> None:
    later = msgspec.to_builtins(publisher.read().document) | {"new_in_later_versions": 1}
    producer = plain_producer(bootstrap)
    producer.produce(
        pipeline.topics.policy, key=policy_key(pipeline.name), value=msgspec.json.encode(later), partition=0
    )
    producer.flush(30)
    with pytest.raises(ContractError, match="new_in_later_versions"):
        publisher.publish(ruled("one"))
