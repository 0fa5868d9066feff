"""Reading as a member of a group while partitions come and go.

One call to read may serve a rebalance after it has taken records from the client's queue: a partition that
was given up and regained in that call then goes on where the group stands, and what was read of it before is
not what comes next there. librdkafka (2.16) takes it back only where the call lasts until it fetches anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition

from feature_store.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.kafka.clients import Consumer, Message


class Handovers:
    """What one call has read, without what was given up in it; told by the callbacks of its consumer."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._given_up: set[tuple[str | None, int | None]] = set()

    def given_up(self, partitions: Iterable[TopicPartition]) -> None:
        """They are somebody else's now: to be called within the rebalance callback."""
        self._given_up.update((each.topic, each.partition) for each in partitions)

    def consume(self, most: int, wait_s: float) -> list[Message]:
        """Up to ``most`` records and errors of partitions that were held throughout; others are read again
        after ``go_back``.
        """
        self._given_up.clear()
        messages = self._consumer.consume(most, wait_s)
        if not self._given_up:
            return messages
        return [each for each in messages if (each.topic(), each.partition()) not in self._given_up]

    def go_back(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Read those that were regained in the last call from their positions, by topic and partition.

        Raises StateError where the client cannot.
        """
        for (topic, partition), at in positions.items():
            if (topic, partition) in self._given_up:
                seek(self._consumer, TopicPartition(topic, partition, at))


def seek(consumer: Consumer, place: TopicPartition) -> None:
    """Read on from the offset of ``place``. Raises StateError where the client cannot."""
    try:
        consumer.seek(place)
    except KafkaException as error:
        raise StateError(
            f"{place.topic}/{place.partition}: the consumer cannot go back to offset {place.offset} "
            f"({error.args[0]}); the process ends so that nothing is skipped"
        ) from error
