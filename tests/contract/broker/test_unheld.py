"""What a static member had given up when it ended is nobody's; a group is made to share it anew."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition

from streams.kafka import share_anew, unheld
from streams.scorer.sharing import Sharing
from tests.contract.broker.toolkit import eventually

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from tests.contract.broker.toolkit import Kafka

STATIC = {"partition_assignment_strategy": "cooperative-sticky"}
NEVER = threading.Event()


class Torn:
    """A group of two of which one ended when it was told to give up half of its partitions, and came back."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.group, self.topic, self.beside = kafka.name(), kafka.topic(partitions=4), kafka.topic()
        self.members = [self._joins("a")]
        eventually(lambda: self.held() == [4])
        # It would hear of what it must give up, but is polled no more: for the others it has ended.
        ended, told = self.members.pop(), list[list[TopicPartition]]()
        other = self._joins("b", told)
        eventually(lambda: bool(told), lambda: other.poll(0.05))
        self.members = [other, self._joins("a")]
        eventually(lambda: self.held() == [0, 2])
        assert ended.assignment()

    def _joins(self, name: str, told: list[list[TopicPartition]] | None = None) -> Consumer:
        consumer = self.kafka.consumer(self.group, group_instance_id=name, **STATIC)

        def assigned(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            consumer.incremental_assign(partitions)
            if told is not None:
                told.append(partitions)

        consumer.subscribe([self.topic], on_assign=assigned)
        return consumer

    def held(self) -> list[int]:
        """How many each member has, having let each do its work."""
        for member in self.members:
            member.poll(0.02)
        return sorted(len(member.assignment()) for member in self.members)

    def missing(self) -> set[int] | None:
        """What nobody holds."""
        return unheld(self.kafka.bootstrap, self.group, self.topic)


@pytest.fixture
def torn(kafka: Kafka) -> Torn:
    return Torn(kafka)


def test_what_was_given_up_is_seen_and_shared_anew(torn: Torn) -> None:
    eventually(lambda: len(torn.missing() or ()) == 2)
    sharing = threading.Thread(
        target=share_anew, args=(torn.kafka.bootstrap, torn.group, torn.beside, NEVER), daemon=True
    )
    sharing.start()
    eventually(lambda: torn.held() == [2, 2] and not sharing.is_alive())
    eventually(lambda: torn.missing() == set(), torn.held)


def test_who_comes_back_looks_until_all_is_held(torn: Torn) -> None:
    looking = Sharing(torn.kafka.bootstrap, torn.group, torn.topic, torn.beside, every_s=0.1, patience_s=0.5)
    looking.start()
    eventually(lambda: torn.held() == [2, 2])
    eventually(lambda: not looking._thread.is_alive(), torn.held)
    looking.stop()
    eventually(lambda: torn.missing() == set())


def test_of_kafka_that_is_away_nothing_can_be_said() -> None:
    assert unheld("127.0.0.1:9", "g", "t") is None


def test_what_dies_of_asking_says_nothing(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.kafka.describing.__file__", "-cimport os; os.abort()")
    assert unheld(kafka.bootstrap, kafka.name(), kafka.topic()) is None


def test_of_a_group_that_nobody_is_in_nothing_can_be_said(kafka: Kafka) -> None:
    assert unheld(kafka.bootstrap, kafka.name(), kafka.topic()) is None
