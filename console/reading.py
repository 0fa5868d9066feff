"""Reading what is on the topics, for people: the newest records, and those that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.kafka import TopicPartition, end_offsets, read_range, reader, start_offsets
from streams.kafka import headers_of as raw_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.kafka import Message

_MARGIN = 50
_FOLLOW_SECONDS = 1.0


def newest(bootstrap: str, topic: str, count: int) -> list[Message]:
    """The newest ``count`` committed records over all partitions, oldest first."""
    consumer = reader(bootstrap)
    try:
        starts, ends = start_offsets(consumer, topic), end_offsets(consumer, topic)
    finally:
        consumer.close()
    # Transaction markers take offsets too: at a low rate, one for every record.
    reach = 2 * count + _MARGIN
    ranges = {partition: (max(starts[partition], end - reach), end) for partition, end in ends.items()}
    found = sorted(read_range(bootstrap, topic, ranges), key=lambda message: message.timestamp()[1])
    return found[-count:] if count else []


def following(bootstrap: str, topic: str) -> Iterator[Message]:
    """Committed records that come from now on, for ever."""
    consumer = reader(bootstrap)
    try:
        ends = end_offsets(consumer, topic)
        consumer.assign([TopicPartition(topic, partition, end) for partition, end in ends.items()])
        while True:
            message = consumer.poll(_FOLLOW_SECONDS)
            if message is not None and message.error() is None:
                yield message
    finally:
        consumer.close()


def headers_of(message: Message) -> dict[str, str]:
    """The record's headers as text."""
    found = raw_headers(message) or []
    return {name: (value or b"").decode("utf-8", errors="replace") for name, value in found}
