"""Reading what is on the topics, for people: the newest records, and those that follow."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING

from streams.kafka import TopicPartition, end_offsets, read_range, reader, start_offsets
from streams.kafka import headers_of as raw_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.kafka import Message

_MARGIN = 50
_FURTHER = 8
_FOLLOW_SECONDS = 1.0


def newest(
    bootstrap: str,
    topic: str,
    count: int,
    meant: Callable[[Message], bool] | None = None,
    most_bytes: float = inf,
) -> list[Message]:
    """The newest ``count`` committed records over all partitions that are ``meant``, oldest first.

    Where few are, it reads further and further back, at most to the start. Where they hold more than
    ``most_bytes``, the oldest of them are left out.
    """
    if count == 0:
        return []
    consumer = reader(bootstrap)
    try:
        starts, ends = start_offsets(consumer, topic), end_offsets(consumer, topic)
    finally:
        consumer.close()
    # Transaction markers take offsets too: at a low rate, one for every record.
    reach = 2 * count + _MARGIN
    while True:
        ranges = {partition: (max(starts[partition], end - reach), end) for partition, end in ends.items()}
        found, reached = _newest(read_range(bootstrap, topic, ranges), count, meant, most_bytes)
        further = [partition for partition, (low, _) in ranges.items() if low > starts[partition]]
        if meant is None or not further:
            return found
        # What was not read of a partition is older than what was: it is not among the newest.
        if len(found) == count and all(reached.get(p, inf) <= _time(found[0]) for p in further):
            return found
        reach *= _FURTHER


def _newest(
    messages: Iterator[Message], count: int, meant: Callable[[Message], bool] | None, most_bytes: float
) -> tuple[list[Message], dict[int, int]]:
    """The newest of ``messages`` that are meant, and the oldest time seen of each partition."""
    reached: dict[int, int] = {}
    found: list[tuple[int, int, int, Message]] = []
    size = 0
    for message in messages:
        time, partition = _time(message), message.partition() or 0
        reached[partition] = min(time, reached.get(partition, time))
        if meant is None or meant(message):
            heappush(found, (time, partition, message.offset() or 0, message))
            size += _size(message)
            while len(found) > count or size > most_bytes:
                size -= _size(heappop(found)[-1])
    return [message for *_, message in sorted(found, key=itemgetter(0, 1, 2))], reached


def _time(message: Message) -> int:
    return int(message.timestamp()[1])


def _size(message: Message) -> int:
    headers = raw_headers(message) or []
    parts = message.key(), message.value(), *(value for _, value in headers)
    return sum(len(part or b"") for part in parts)


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
