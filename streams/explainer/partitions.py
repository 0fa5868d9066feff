"""Which partitions of the feature log this explainer holds, and where it stands on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from streams.kafka import Consumer, Handovers, KafkaException, Message, TopicPartition, seek, waiting
from streams.kafka.tail import watermarks

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger()
_TIMEOUT_S = 60.0


class Held:
    """What is read of the partitions held: rebalance callbacks, which run meanwhile, and positions."""

    def __init__(
        self, consumer: Consumer, topic: str, joined: Callable[[], None], last: Callable[[int], int]
    ) -> None:
        """``joined`` is called in every assignment: the group has a new generation. ``last`` says up to which
        source offset a partition is explained; it is asked where the group has no offset.
        """
        self._consumer = consumer
        self._topic = topic
        self._joined = joined
        self._last = last
        self.positions: dict[int, int] = {}
        """Partition -> the next offset to explain."""
        self.explained: dict[int, int] = {}
        """Partition -> the last source offset that was explained before the group's offsets began."""
        self._handovers = Handovers(consumer)
        self._failure: BaseException | None = None

    def subscribe(self) -> None:
        """Join the group."""
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_lost, on_lost=self._on_lost
        )

    def consume(self, most: int, wait_s: float) -> list[Message]:
        """What comes next, and errors. Raises what went wrong in a callback."""
        messages = self._handovers.consume(most, wait_s)
        if self._failure is not None:
            raise self._failure
        self._handovers.go_back({(self._topic, p): at for p, at in self.positions.items()})
        return messages

    def seek_back(self) -> None:
        """Read again what was not committed. Raises StateError."""
        for partition, offset in self.positions.items():
            seek(self._consumer, TopicPartition(self._topic, partition, offset))

    def lag(self) -> dict[int, int]:
        """Partition -> messages that wait, as the last fetch told; nobody is asked."""
        return waiting(self._consumer, self._topic, self.positions)

    def _on_assign(self, consumer: Consumer, gained: list[TopicPartition]) -> None:
        try:
            self._joined()
            for tp in consumer.committed(gained, timeout=_TIMEOUT_S):
                if tp.error is not None:
                    raise KafkaException(tp.error)  # noqa: TRY301  (not known is not the same as none)
                self.positions[tp.partition] = self._start(tp.partition, tp.offset)
                self.explained[tp.partition] = self._last(tp.partition) if tp.offset < 0 else -1
            starts = [TopicPartition(self._topic, p.partition, self.positions[p.partition]) for p in gained]
            consumer.incremental_assign(starts)
        except BaseException as error:  # noqa: BLE001  (none may pass through the client's C code)
            self._failure = error

    def _on_lost(self, consumer: Consumer, lost: list[TopicPartition]) -> None:
        self._handovers.given_up(lost)
        for tp in lost:
            self.positions.pop(tp.partition, None)
        if lost:
            consumer.incremental_unassign(lost)

    def _start(self, partition: int, committed: int) -> int:
        first, _ = watermarks(self._consumer, self._topic, partition)
        if 0 <= committed < first:
            _log.warning("log_left_unexplained", partition=partition, from_offset=committed, to_offset=first)
        return max(first, committed)
