"""Reading, writing and shortening topics; read with a client that is not ours: aiokafka."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import confluent_kafka
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.kafka import Headers, ensure_topics, pipeline_topics, plain_producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

Seen = list[Any]


@dataclass
class Feed:
    """Sends events to a pipeline's topic and remembers how many went to each partition."""

    bootstrap: str
    topic: str
    sent: dict[int, int] = field(default_factory=dict)

    def send(self, messages: Iterable[tuple[bytes | None, bytes]], headers: Headers | None = None) -> None:
        """Send and wait until Kafka has every one; ``headers`` stand on each."""
        producer = plain_producer(self.bootstrap)
        problems: list[object] = []

        def delivered(error: object, message: Any) -> None:
            if error is not None:
                problems.append(error)
            else:
                self.sent[message.partition()] = self.sent.get(message.partition(), 0) + 1

        for key, value in messages:
            producer.produce(self.topic, value=value, key=key, headers=headers, on_delivery=delivered)
            producer.poll(0)
        assert producer.flush(30) == 0
        assert not problems, problems[0]


def feed_of(pipeline: Pipeline, bootstrap: str) -> Feed:
    """The pipeline's topics, made; ready to send."""
    ensure_topics(bootstrap, pipeline_topics(pipeline))
    return Feed(bootstrap, pipeline.topics.events)


def remove_before(bootstrap: str, topic: str, partition: int, offset: int) -> None:
    """Let a topic lose what stands before ``offset``, as retention does."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    place = confluent_kafka.TopicPartition(topic, partition, offset)
    (future,) = admin.delete_records([place]).values()
    assert future.result().low_watermark == offset


def read_until(
    bootstrap: str, topics: list[str], enough: Callable[[Seen], bool], patience: float = 120
) -> Seen:
    """Committed records from the start of ``topics`` until ``enough`` of them are there."""
    return asyncio.run(_read_until(bootstrap, topics, enough, patience))


def decided(broker: Broker, pipeline: Pipeline, count: int, patience: float = 120) -> Counter[str]:
    """How often each event was decided, once there are ``count`` decisions."""
    topics = [pipeline.topics.decisions]
    seen = read_until(broker.bootstrap, topics, lambda found: len(found) >= count, patience)
    return Counter(msgspec.json.decode(record.value)["event_id"] for record in seen)


def read_all(bootstrap: str, topic: str) -> Seen:
    """Every committed record that ``topic`` holds now."""

    async def read() -> Seen:
        async with committed_consumer(bootstrap) as consumer:
            partitions = [TopicPartition(topic, p) for p in await _partitions(consumer, topic)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning(*partitions)
            seen: Seen = []
            for partition, end in ends.items():
                while await consumer.position(partition) < end:
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        seen += records
            return seen

    return asyncio.run(read())


@asynccontextmanager
async def committed_consumer(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of committed records; the partitions are its user's choice."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # its own reset may come after a seek
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _read_until(
    bootstrap: str, topics: list[str], enough: Callable[[Seen], bool], patience: float
) -> Seen:
    async with committed_consumer(bootstrap) as consumer, asyncio.timeout(patience):
        partitions = [
            TopicPartition(topic, p) for topic in topics for p in await _partitions(consumer, topic)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        seen: Seen = []
        while not enough(seen):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                seen += records
        return seen


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.force_metadata_update()
    consumer._client.add_topic(topic)
    while not (found := consumer.partitions_for_topic(topic)):
        await consumer._client.force_metadata_update()
    partitions: set[int] = found
    return partitions
