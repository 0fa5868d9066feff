"""Reading a bounded stretch of a topic: what is there now, and no further."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from feature_store.errors import BrokerError
from streams.kafka.clients import reader
from streams.kafka.refused import place_taken, plain_refusal, refused_access
from streams.kafka.retriable import asked_too_soon, passes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

_PAUSE_S = 0.1
_TIMEOUT_S = 30.0
_IDLE_S = 30.0


def partitions_of(consumer: Consumer, topic: str) -> list[int]:
    """The topic's partition numbers. Raises BrokerError where there is no such topic, or no answer."""
    described = _asked_until_answered(
        f"topic {topic!r}", lambda: consumer.list_topics(topic, timeout=_TIMEOUT_S)
    )
    found = described.topics.get(topic)
    problem = found.error if found is not None else None
    if problem is not None and (refused := refused_access(problem, f"topic {topic!r}", "Describe")):
        raise refused
    if found is None or problem is not None or not found.partitions:
        raise BrokerError(f"there is no topic {topic!r}; `sluicegate topics create` makes what is missing")
    return sorted(found.partitions)


def start_offsets(consumer: Consumer, topic: str) -> dict[int, int]:
    """Partition -> first offset still kept."""
    return {p: watermarks(consumer, topic, p)[0] for p in partitions_of(consumer, topic)}


def end_offsets(consumer: Consumer, topic: str) -> dict[int, int]:
    """Partition -> the end as read_committed sees it (the last stable offset)."""
    return {p: watermarks(consumer, topic, p)[1] for p in partitions_of(consumer, topic)}


def watermarks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """First kept offset and the end as read_committed sees it. Raises BrokerError for no answer."""
    low, high = _asked_until_answered(
        f"{topic}[{partition}]",
        lambda: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_TIMEOUT_S),
    )
    return int(low), int(high)


def waiting(consumer: Consumer, topic: str, positions: Mapping[int, int]) -> dict[int, int]:
    """Partition -> records from its position on, as the last fetch told; nobody is asked."""
    ends = {
        partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)[1]
        for partition in positions
    }
    return {partition: max(0, ends[partition] - at) for partition, at in positions.items()}


def _asked_until_answered(what: str, ask: Callable[[], T]) -> T:
    """A topic was just made, its leader just changed, or Kafka is just back: for half a minute, ask again."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            problem = error.args[0]
            if not asked_too_soon(problem):
                raise
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka said nothing of {what} for {_TIMEOUT_S:.0f} s: {problem.str()}"
                ) from error
            time.sleep(_PAUSE_S)


def read_range(bootstrap: str, topic: str, ranges: dict[int, tuple[int, int]]) -> Iterator[Message]:
    """Committed records with ``start <= offset < end`` per partition, each partition in order.

    Ends when every partition has reached its end. Raises BrokerError when records are gone or nothing comes
    for half a minute.
    """
    ranges = {partition: (low, high) for partition, (low, high) in ranges.items() if low < high}
    if not ranges:
        return
    consumer = reader(bootstrap, end_events=True)
    try:
        consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in ranges.items()])
        waiting = set(ranges)
        last = time.monotonic()
        while waiting:
            for message in consumer.consume(10_000, 0.2):
                last = time.monotonic()
                partition, offset = message.partition(), message.offset()
                if partition is None or offset is None:
                    continue
                if at_end(message):
                    waiting.discard(partition)
                    continue
                high = ranges[partition][1]
                if offset < high:
                    yield message
                if offset >= high - 1:
                    waiting.discard(partition)
            if time.monotonic() - last > _IDLE_S:
                raise BrokerError(
                    f"{topic}: no records for {_IDLE_S:.0f} s, still waiting for {sorted(waiting)}"
                )
    finally:
        consumer.close()


def read_to_end(bootstrap: str, topic: str) -> Iterator[Message]:
    """Every committed record that the topic holds at the moment of the call, each partition in order."""
    consumer = reader(bootstrap)
    try:
        starts, ends = start_offsets(consumer, topic), end_offsets(consumer, topic)
    finally:
        consumer.close()
    yield from read_range(bootstrap, topic, {p: (starts[p], ends[p]) for p in ends})


def at_end(message: Message) -> bool:
    """Whether this is the news that a partition ends here.

    Raises StateError where another process has taken this one's place, KafkaException for a lasting error.
    """
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
        return True
    if passes(error):
        return False
    refused = place_taken(error) or plain_refusal(error, f"topic {message.topic()!r}", "Read")
    raise refused or KafkaException(error)
