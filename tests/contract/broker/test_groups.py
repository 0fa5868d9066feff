"""Consumer groups: sharing, moving on, committed offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    TopicPartition,
)

from tests.contract.broker.toolkit import PATIENCE, eventually, polled, refused, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.broker.toolkit import Kafka


def shares(*consumers: Consumer) -> list[int]:
    """Return how many partitions each consumer has, having let each do its work."""
    for consumer in consumers:
        consumer.poll(0.02)
    return sorted(len(consumer.assignment()) for consumer in consumers)


@pytest.fixture
def group(kafka: Kafka) -> str:
    return kafka.name()


class TestMembership:
    @pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
    def test_two_members_share_and_the_one_left_takes_all(
        self, kafka: Kafka, group: str, strategy: str
    ) -> None:
        topic = kafka.topic(partitions=4)
        settings = {"partition_assignment_strategy": strategy}
        first, second = (kafka.consumer(group, **settings) for _ in range(2))
        first.subscribe([topic])
        eventually(lambda: shares(first) == [4])
        second.subscribe([topic])
        eventually(lambda: shares(first, second) == [2, 2])
        assert not {tp.partition for tp in first.assignment()} & {tp.partition for tp in second.assignment()}
        second.close()
        eventually(lambda: shares(first) == [4])

    @pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
    @pytest.mark.parametrize("who", [0, 1], ids=["leader", "follower"])
    def test_a_static_member_comes_back_to_its_partitions(
        self, kafka: Kafka, group: str, strategy: str, who: int
    ) -> None:
        topic = kafka.topic(partitions=4)
        names, moved = ("a", "b"), list[object]()
        settings = {"partition_assignment_strategy": strategy}
        members = [kafka.consumer(group, group_instance_id=name, **settings) for name in names]
        for member in members:
            member.subscribe([topic], on_revoke=lambda _, lost: moved.append(lost))
            eventually(lambda: shares(*members)[-1] > 0)
        eventually(lambda: shares(*members) == [2, 2])
        before, kept = ({tp.partition for tp in members[n].assignment()} for n in (who, 1 - who))
        members[who].close()
        moved.clear()
        again = kafka.consumer(group, group_instance_id=names[who], **settings)
        again.subscribe([topic])
        eventually(lambda: shares(again, members[1 - who]) == [2, 2])
        assert {tp.partition for tp in again.assignment()} == before
        assert {tp.partition for tp in members[1 - who].assignment()} == kept
        assert (again.memberid() or "").startswith(f"{names[who]}-")
        assert not moved

    def test_a_second_holder_of_an_instance_fences_the_first(self, kafka: Kafka, group: str) -> None:
        topic = kafka.topic()
        first, second = (kafka.consumer(group, group_instance_id="same") for _ in range(2))
        first.subscribe([topic])
        eventually(lambda: shares(first) == [1])
        assert (first.memberid() or "").startswith("same-")
        second.subscribe([topic])
        eventually(lambda: shares(second) == [1])
        error = next(message.error() for message in polled(first) if message.error())
        assert error is not None
        assert error.code() in {KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID}

    def test_a_fenced_holder_that_commits_does_not_take_its_place_back(
        self, kafka: Kafka, group: str
    ) -> None:
        topic = kafka.topic()
        first, second = (kafka.consumer(group, group_instance_id="same") for _ in range(2))
        for each in (first, second):
            each.subscribe([topic])
            eventually(lambda each=each: shares(each) == [1])  # type: ignore[misc]
        with refused(KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID):
            first.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
        second.commit(offsets=[TopicPartition(topic, 0, 2, metadata="mine")], asynchronous=False)
        found = second.committed([TopicPartition(topic, 0)], timeout=30)[0]
        assert (found.offset, found.metadata) == (2, "mine")

    def test_the_admin_sees_who_holds_what(self, kafka: Kafka, group: str) -> None:
        topic = kafka.topic(partitions=2)
        consumer = kafka.consumer(group, client_id="who", group_instance_id="a")
        consumer.subscribe([topic])
        eventually(lambda: shares(consumer) == [2])
        described = wait_for(kafka.admin.describe_consumer_groups([group])[group])
        assert described.state == ConsumerGroupState.STABLE
        found = [(member.client_id, member.group_instance_id) for member in described.members]
        assert found == [("who", "a")]
        held = described.members[0].assignment.topic_partitions
        assert sorted((tp.topic, tp.partition) for tp in held) == [(topic, 0), (topic, 1)]

    def test_the_admin_lists_and_deletes(self, kafka: Kafka, group: str, gap: Callable[[str], None]) -> None:
        gap("groups are neither listed nor deleted")
        consumer = kafka.consumer(group)
        consumer.subscribe([kafka.topic()])
        eventually(lambda: shares(consumer) == [1])
        listed = wait_for(kafka.admin.list_consumer_groups()).valid
        assert group in {one.group_id for one in listed}
        with refused(KafkaError.NON_EMPTY_GROUP):
            wait_for(kafka.admin.delete_consumer_groups([group])[group])
        consumer.close()
        wait_for(kafka.admin.delete_consumer_groups([group])[group])
        with refused(KafkaError.GROUP_ID_NOT_FOUND):
            wait_for(kafka.admin.delete_consumer_groups([group])[group])


class TestOffsets:
    def test_committed_offsets_are_kept_and_resumed_from(self, kafka: Kafka, group: str) -> None:
        topic = kafka.topic()
        kafka.send(topic, [b"%d" % i for i in range(10)])
        first = kafka.consumer(group)
        first.subscribe([topic])
        for message in polled(first):
            if message.offset() == 6:
                break
        first.commit(offsets=[TopicPartition(topic, 0, 7, "note")], asynchronous=False)
        kept = first.committed([TopicPartition(topic, 0)], PATIENCE)[0]
        assert (kept.offset, kept.metadata) == (7, "note")
        first.close()
        second = kafka.consumer(group)
        second.subscribe([topic])
        assert next(polled(second)).offset() == 7

    def test_nothing_committed_is_no_offset(self, kafka: Kafka, group: str) -> None:
        consumer = kafka.consumer(group)
        unknown = consumer.committed([TopicPartition(kafka.topic(), 0)], PATIENCE)
        assert unknown[0].offset == OFFSET_INVALID

    def test_the_admin_sees_and_sets_offsets_of_an_empty_group(self, kafka: Kafka, group: str) -> None:
        topic = kafka.topic()
        wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 5)])
        wait_for(kafka.admin.alter_consumer_group_offsets([wanted])[group])
        every = ConsumerGroupTopicPartitions(group)
        found = wait_for(kafka.admin.list_consumer_group_offsets([every])[group])
        assert [(tp.topic, tp.offset) for tp in found.topic_partitions] == [(topic, 5)]

    def test_a_commit_from_outside_an_active_group_is_refused(self, kafka: Kafka, group: str) -> None:
        topic = kafka.topic()
        member, outsider = kafka.consumer(group), kafka.consumer(group)
        member.subscribe([topic])
        eventually(lambda: shares(member) == [1])
        with refused(KafkaError.UNKNOWN_MEMBER_ID):
            outsider.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
