"""Transactions: what is hidden, who is fenced, offsets inside, take-over."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    Producer,
    TopicPartition,
)

from tests.contract.broker.toolkit import PATIENCE, eventually, polled, refused

if TYPE_CHECKING:
    from tests.contract.broker.toolkit import Kafka

FENCED = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)


def write(producer: Producer, topic: str, *values: str) -> None:
    """Produce inside the open transaction and wait until the broker has it."""
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(PATIENCE) == 0


def committed(consumer: Consumer, topic: str) -> int:
    return int(consumer.committed([TopicPartition(topic, 0)], PATIENCE)[0].offset)


def member(kafka: Kafka, group: str, topic: str, **settings: object) -> Consumer:
    """Return a consumer that has its assignment."""
    consumer = kafka.consumer(group, **settings)
    consumer.subscribe([topic])
    eventually(lambda: bool(consumer.assignment()), lambda: consumer.poll(0.02))
    return consumer


@pytest.fixture
def topic(kafka: Kafka) -> str:
    return kafka.topic()


@pytest.fixture
def producer(kafka: Kafka) -> Producer:
    return kafka.transactional(kafka.name())


class TestVisibility:
    def test_aborted_records_are_hidden(self, kafka: Kafka, topic: str, producer: Producer) -> None:
        for number in range(6):
            producer.begin_transaction()
            write(producer, topic, f"{number}a", f"{number}b")
            if number % 2:
                producer.abort_transaction(PATIENCE)
            else:
                producer.commit_transaction(PATIENCE)
        assert kafka.values(topic) == [b"0a", b"0b", b"2a", b"2b", b"4a", b"4b"]
        assert len(kafka.values(topic, committed=False)) == 12

    def test_open_records_and_all_after_them_are_hidden(
        self, kafka: Kafka, topic: str, producer: Producer
    ) -> None:
        kafka.send(topic, [b"before"])
        producer.begin_transaction()
        write(producer, topic, "open")
        kafka.send(topic, [b"after"])
        assert kafka.values(topic) == [b"before"]
        assert kafka.values(topic, committed=False) == [b"before", b"open", b"after"]
        producer.commit_transaction(PATIENCE)
        assert kafka.values(topic) == [b"before", b"open", b"after"]

    def test_interleaved_transactions_are_decided_each_on_its_own(
        self, kafka: Kafka, topic: str, producer: Producer
    ) -> None:
        other = kafka.transactional(kafka.name())
        producer.begin_transaction()
        other.begin_transaction()
        for i in range(3):
            write(producer, topic, f"good{i}")
            write(other, topic, f"bad{i}")
        producer.commit_transaction(PATIENCE)
        assert kafka.values(topic) == [b"good0"]
        other.abort_transaction(PATIENCE)
        assert kafka.values(topic) == [b"good0", b"good1", b"good2"]

    def test_a_transaction_spans_topics_and_partitions(
        self, kafka: Kafka, topic: str, producer: Producer
    ) -> None:
        second = kafka.topic()
        producer.begin_transaction()
        write(producer, topic, "a")
        write(producer, second, "b")
        assert (kafka.values(topic), kafka.values(second)) == ([], [])
        producer.commit_transaction(PATIENCE)
        assert (kafka.values(topic), kafka.values(second)) == ([b"a"], [b"b"])


class TestFencing:
    def test_a_zombie_is_fenced_and_its_transaction_aborted(self, kafka: Kafka, topic: str) -> None:
        name = kafka.name()
        zombie = kafka.transactional(name)
        zombie.begin_transaction()
        write(zombie, topic, "open")
        successor = kafka.transactional(name)
        with refused(*FENCED):
            zombie.commit_transaction(PATIENCE)
        successor.begin_transaction()
        write(successor, topic, "new")
        successor.commit_transaction(PATIENCE)
        assert kafka.values(topic) == [b"new"]

    def test_a_zombie_cannot_write(self, kafka: Kafka, topic: str) -> None:
        name = kafka.name()
        zombie = kafka.transactional(name)
        kafka.transactional(name)
        zombie.begin_transaction()
        zombie.produce(topic, b"zombie", partition=0)
        with refused(*FENCED):
            zombie.commit_transaction(PATIENCE)
        assert kafka.values(topic, committed=False) == []

    def test_a_transaction_that_takes_too_long_is_aborted(self, kafka: Kafka, topic: str) -> None:
        slow = kafka.transactional(kafka.name(), timeout_ms=1000)
        slow.begin_transaction()
        write(slow, topic, "late")
        kafka.send(topic, [b"after"])
        eventually(lambda: kafka.values(topic) == [b"after"])
        with refused(*FENCED):
            slow.commit_transaction(PATIENCE)

    def test_a_producer_survives_its_aborts(self, kafka: Kafka, topic: str, producer: Producer) -> None:
        for _ in range(2):
            producer.begin_transaction()
            write(producer, topic, "dropped")
            producer.abort_transaction(PATIENCE)
        producer.begin_transaction()
        write(producer, topic, "kept")
        producer.commit_transaction(PATIENCE)
        assert kafka.values(topic) == [b"kept"]

    def test_a_time_out_beyond_the_limit_is_refused(self, kafka: Kafka) -> None:
        greedy = kafka.producer(transactional_id=kafka.name(), transaction_timeout_ms=900_001)
        with refused(KafkaError.INVALID_TRANSACTION_TIMEOUT):
            greedy.init_transactions(PATIENCE)


class TestOffsets:
    def test_offsets_count_only_when_the_transaction_commits(
        self, kafka: Kafka, topic: str, producer: Producer
    ) -> None:
        consumer = member(kafka, kafka.name(), topic)
        for offset, decide, expected in (
            (7, producer.abort_transaction, OFFSET_INVALID),
            (9, producer.commit_transaction, 9),
            (11, producer.abort_transaction, 9),
        ):
            producer.begin_transaction()
            producer.send_offsets_to_transaction(
                [TopicPartition(topic, 0, offset)], consumer.consumer_group_metadata(), PATIENCE
            )
            decide(PATIENCE)
            assert committed(consumer, topic) == expected

    def test_a_former_generation_cannot_commit_offsets(self, kafka: Kafka, producer: Producer) -> None:
        group, shared = kafka.name(), kafka.topic(partitions=2)
        first = member(kafka, group, shared)
        stale = first.consumer_group_metadata()
        second = kafka.consumer(group)
        second.subscribe([shared])
        eventually(
            lambda: len(first.assignment()) == len(second.assignment()) == 1,
            lambda: (first.poll(0.02), second.poll(0.02)),
        )
        producer.begin_transaction()
        with refused(KafkaError.ILLEGAL_GENERATION):
            producer.send_offsets_to_transaction([TopicPartition(shared, 0, 5)], stale, PATIENCE)
        producer.abort_transaction(PATIENCE)
        assert committed(first, shared) == OFFSET_INVALID

    def test_a_member_that_left_cannot_commit_offsets(
        self, kafka: Kafka, topic: str, producer: Producer
    ) -> None:
        group = kafka.name()
        gone = member(kafka, group, topic)
        stale = gone.consumer_group_metadata()
        gone.close()
        successor = member(kafka, group, topic)
        producer.begin_transaction()
        with refused(KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION):
            producer.send_offsets_to_transaction([TopicPartition(topic, 0, 5)], stale, PATIENCE)
        producer.abort_transaction(PATIENCE)
        assert committed(successor, topic) == OFFSET_INVALID

    def test_a_static_member_whose_place_was_taken_cannot_commit_offsets(
        self, kafka: Kafka, topic: str, producer: Producer
    ) -> None:
        group = kafka.name()
        zombie = member(kafka, group, topic, group_instance_id="slot")
        stale = zombie.consumer_group_metadata()
        successor = member(kafka, group, topic, group_instance_id="slot")
        current = successor.consumer_group_metadata()
        producer.begin_transaction()
        with refused(KafkaError.FENCED_INSTANCE_ID):
            producer.send_offsets_to_transaction([TopicPartition(topic, 0, 5)], stale, PATIENCE)
        producer.abort_transaction(PATIENCE)
        assert committed(successor, topic) == OFFSET_INVALID
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], current, PATIENCE)
        producer.commit_transaction(PATIENCE)
        assert committed(successor, topic) == 7

    def test_a_static_member_that_comes_back_leaves_the_others_their_generation(
        self, kafka: Kafka, producer: Producer
    ) -> None:
        group, shared = kafka.name(), kafka.topic(partitions=2)
        first = member(kafka, group, shared, group_instance_id="0")
        second = kafka.consumer(group, group_instance_id="1")
        second.subscribe([shared])
        eventually(
            lambda: len(first.assignment()) == len(second.assignment()) == 1,
            lambda: (first.poll(0.02), second.poll(0.02)),
        )
        before = first.consumer_group_metadata()
        second.close()
        again = member(kafka, group, shared, group_instance_id="1")
        for number, metadata in enumerate((before, again.consumer_group_metadata())):
            producer.begin_transaction()
            offsets = [TopicPartition(shared, number, 3)]
            producer.send_offsets_to_transaction(offsets, metadata, PATIENCE)
            producer.commit_transaction(PATIENCE)
        found = again.committed([TopicPartition(shared, number) for number in range(2)], PATIENCE)
        assert [each.offset for each in found] == [3, 3]

    @pytest.mark.parametrize(("commit", "expected"), [(True, 5), (False, OFFSET_INVALID)])
    def test_a_new_owner_waits_for_the_pending_offset(
        self, kafka: Kafka, topic: str, producer: Producer, commit: bool, expected: int
    ) -> None:
        group = kafka.name()
        consumer = member(kafka, group, topic)
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            [TopicPartition(topic, 0, 5)], consumer.consumer_group_metadata(), PATIENCE
        )
        owner = kafka.consumer(group, isolation_level="read_committed")
        found: list[int] = []
        asking = threading.Thread(target=lambda: found.append(committed(owner, topic)))
        asking.start()
        asking.join(0.5)
        assert found == []
        producer.commit_transaction(PATIENCE) if commit else producer.abort_transaction(PATIENCE)
        asking.join(PATIENCE)
        assert found == [expected]

    def test_a_take_over_finds_offsets_decided(self, kafka: Kafka, topic: str) -> None:
        """The promise that recovery stands on: after init_transactions nothing is pending."""
        group, name = kafka.name(), kafka.name()
        consumer = member(kafka, group, topic)
        dead = kafka.transactional(name)
        dead.begin_transaction()
        write(dead, topic, "open")
        dead.send_offsets_to_transaction(
            [TopicPartition(topic, 0, 5)], consumer.consumer_group_metadata(), PATIENCE
        )
        kafka.transactional(name)
        owner = kafka.consumer(group, isolation_level="read_committed")
        assert committed(owner, topic) == OFFSET_INVALID
        assert kafka.values(topic) == []

    def test_a_new_member_starts_where_the_pending_transaction_ends(
        self, kafka: Kafka, topic: str, producer: Producer
    ) -> None:
        group = kafka.name()
        kafka.send(topic, [b"0", b"1", b"2"])
        owner = member(kafka, group, topic)
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            [TopicPartition(topic, 0, 2)], owner.consumer_group_metadata(), PATIENCE
        )
        owner.close()
        successor = kafka.consumer(group, isolation_level="read_committed")
        successor.subscribe([topic])
        eventually(lambda: bool(successor.assignment()), lambda: successor.poll(0.02))
        assert successor.poll(0.5) is None
        producer.commit_transaction(PATIENCE)
        assert next(polled(successor)).value() == b"2"
