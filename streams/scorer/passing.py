"""Places of a partition where nothing counts: the marks of transactions, and what was aborted.

A position that stayed before them would, once Kafka has dropped them, look as if events had been lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Passing:
    """How far the partitions of one scorer were read to their ends."""

    def __init__(self) -> None:
        self._ends: dict[int, int] = {}

    def reached(self, partition: int, end: int) -> None:
        """Everything before ``end`` was read."""
        self._ends[partition] = end

    def forget(self, partitions: Iterable[int]) -> None:
        """These are somebody else's, or are read again from an earlier place."""
        for partition in partitions:
            self._ends.pop(partition, None)

    def beyond(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Partition -> its end, where that lies behind its position."""
        return {p: end for p, end in self._ends.items() if end > positions.get(p, end)}
