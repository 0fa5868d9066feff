"""Partitions that are lost and regained while one call reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.kafka import group_consumer, leave

if TYPE_CHECKING:
    from streams.kafka import Consumer, Message

_POLL_S = 0.1


class HandedOverWithin:
    """A consumer; a call that finds records after ``arm`` goes on until another member of the group had some
    of the partitions, and left: it returns what was read before, meanwhile and after.
    """

    def __init__(self, consumer: Consumer, bootstrap: str, group: str, topics: list[str]) -> None:
        self._consumer = consumer
        self._other = (bootstrap, group)
        self._topics = topics
        self._armed = False
        self.handed_over = 0
        """How many partitions were."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def arm(self) -> None:
        """Let the next call do so."""
        self._armed = True

    def consume(self, most: int, wait_s: float) -> list[Message]:
        """As the consumer's."""
        read = self._consumer.consume(most, wait_s)
        if not self._armed or not any(each.error() is None for each in read):
            return read
        self._armed = False
        held = len(self._consumer.assignment())
        other = group_consumer(*self._other, session_timeout_ms=6_000, end_events=True)
        other.subscribe(self._topics)
        while len(self._consumer.assignment()) == held:
            other.poll(_POLL_S)
            read += self._consumer.consume(most, _POLL_S)
        self.handed_over = held - len(self._consumer.assignment())
        leave(other)
        while len(self._consumer.assignment()) < held:
            read += self._consumer.consume(most, _POLL_S)
        return read + self._consumer.consume(most, 1.0)
