"""What has been read: nothing counts twice, however often Kafka's client delivers it."""

from __future__ import annotations


class Progress:
    """Per partition, the offset up to which everything has been counted."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, int], int] = {}

    def reached(self, topic: str, partition: int) -> int:
        """The next offset that is new."""
        return self._next.get((topic, partition), 0)

    def advance(self, topic: str, partition: int, next_offset: int) -> bool:
        """Take note of everything below ``next_offset``; False if there was nothing new in it."""
        if next_offset <= self.reached(topic, partition):
            return False
        self._next[topic, partition] = next_offset
        return True
