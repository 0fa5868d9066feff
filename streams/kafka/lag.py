"""How far a consumer group has committed, against where its topic ends."""

from __future__ import annotations

from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from streams.kafka.clients import COMMON, LOG
from streams.kafka.cluster import connection
from streams.kafka.tail import start_offsets, watermarks

_TIMEOUT_S = 10.0


class Lag(NamedTuple):
    """Of one partition: the next offset that the group takes, and the end."""

    committed: int
    end: int

    @property
    def records(self) -> int:
        """How many are waiting, marks of transactions among them."""
        return max(0, self.end - self.committed)


class GroupLag:
    """Asks for the offsets of ``group`` on ``topic`` without ever joining it; for one thread at a time."""

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(
            {
                **COMMON,
                "group.id": group,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                **connection(bootstrap),
            },
            logger=LOG,
        )

    def __call__(self) -> dict[int, Lag]:
        """Partition -> where the group stands. Raises BrokerError or KafkaException."""
        starts = start_offsets(self._consumer, self._topic)
        asked = [TopicPartition(self._topic, partition) for partition in starts]
        committed = {at.partition: at.offset for at in self._consumer.committed(asked, timeout=_TIMEOUT_S)}
        return {
            partition: Lag(
                offset if (offset := committed[partition]) >= 0 else start,
                watermarks(self._consumer, self._topic, partition)[1],
            )
            for partition, start in starts.items()
        }

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()
