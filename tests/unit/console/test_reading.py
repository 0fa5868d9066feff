"""The newest records that are meant, as if the whole topic had been read."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from console.reading import newest
from streams.kafka import TopicSpec, ensure_topics, plain_producer

if TYPE_CHECKING:
    from streams.broker import Broker
    from streams.kafka import Message

Record = tuple[int, int, int]
"""Time, partition, number."""


def filled(broker: Broker, topic: str) -> list[Record]:
    """A topic whose partitions grow at very different rates; what stands on it."""
    draw = Random(7)
    ensure_topics(broker.bootstrap, [TopicSpec(topic, 3)])
    producer = plain_producer(broker.bootstrap)
    records = []
    start = time.time_ns() // 1_000_000 - 3_600_000  # within what the broker keeps
    for partition, (count, step) in enumerate([(3_000, 10), (300, 100), (40, 1)]):
        at = start
        for number in range(count):
            at += draw.randint(1, step)
            records.append((at, partition, number))
            producer.produce(topic, value=b"%d" % number, partition=partition, timestamp=at)
    assert producer.flush(30) == 0
    return sorted(records)


def read(message: Message) -> Record:
    return message.timestamp()[1], message.partition() or 0, int(message.value() or b"")


@pytest.mark.parametrize("every", [1, 7, 100, 1_000, 5_000])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_are_found_however_far_back(embedded_broker: Broker, unique: str, every: int, count: int) -> None:
    def meant(record: Record) -> bool:
        return record[2] % every == 3 % every

    records = filled(embedded_broker, unique)
    expected = [record for record in records if meant(record)][-count:] if count else []
    found = newest(embedded_broker.bootstrap, unique, count, lambda message: meant(read(message)))
    assert [read(message) for message in found] == expected


def test_without_a_question_the_newest_of_all_are_found(embedded_broker: Broker, unique: str) -> None:
    records = filled(embedded_broker, unique)
    assert [read(message) for message in newest(embedded_broker.bootstrap, unique, 5)] == records[-5:]
