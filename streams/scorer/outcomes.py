"""The second input of a scorer: what became known about events of exactly the partitions it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.errors import BrokerError, ContractError, StateError
from streams.kafka import Message, TopicPartition, at_end, reader
from streams.kafka.tail import partitions_of, watermarks
from streams.scorer.deltas import DeltaDecoder
from streams.scorer.records import SourceDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import Details

_log = structlog.get_logger()
_AT_ONCE = 1_000
"""The most deltas of a step: what a long absence piled up must not hold up events (about 5 us each)."""


class OutcomeFeed:
    """Reads the entity-outcomes topic without a group; does nothing where no feature counts outcomes.

    What was polled stays until it is known to be applied: after an aborted step it is given again.
    """

    def __init__(
        self, pipeline: Pipeline, bootstrap: str, alert: Callable[[str, str, Details], None]
    ) -> None:
        self._topic = pipeline.topics.entity_outcomes
        self._decoder = DeltaDecoder(pipeline)
        self._alert = alert
        self._consumer = reader(bootstrap, end_events=True) if pipeline.outcome_fields else None
        self._next: dict[int, int] = {}
        self._waiting: list[SourceDelta] = []
        self._retention_covers_windows = pipeline.keeps(pipeline.reach)

    def assign(self, positions: dict[int, int]) -> None:
        """Read these partitions too, each from its position.

        Raises BrokerError where there is no such topic, or too few partitions of it; StateError where it was
        made anew.
        """
        if self._consumer is None or not positions:
            return
        there = partitions_of(self._consumer, self._topic)
        if not positions.keys() <= set(there):
            raise BrokerError(
                f"topic {self._topic!r} has {len(there)} partitions; it needs as many as the events have, "
                "since outcomes stand on the partition of their event"
            )
        starts = {partition: self._start(partition, offset) for partition, offset in positions.items()}
        self._consumer.incremental_assign([TopicPartition(self._topic, p, o) for p, o in starts.items()])
        self._next |= starts

    def drop(self, partitions: list[int]) -> None:
        """Read these partitions no longer, and forget what was read of them."""
        held = [TopicPartition(self._topic, p) for p in partitions if self._next.pop(p, None) is not None]
        if self._consumer is not None and held:
            self._consumer.incremental_unassign(held)
        self._waiting = [delta for delta in self._waiting if delta.partition in self._next]

    def poll(self) -> list[SourceDelta]:
        """What is there now, without waiting for more."""
        if self._consumer is not None and len(self._waiting) < _AT_ONCE:
            refused: list[str] = []
            for message in self._consumer.consume(_AT_ONCE - len(self._waiting), 0):
                self._take(message, refused)
            if refused:
                more = f" (and {len(refused) - 1} more)" if refused[1:] else ""
                self._alert("entity_outcome_refused", refused[0] + more, {"refused": len(refused)})
            self._tell_of_older()
        return list(self._waiting)

    def applied(self, count: int) -> None:
        """The first ``count`` of what was polled are committed."""
        del self._waiting[:count]

    def close(self) -> None:
        """Read no more."""
        if self._consumer is not None:
            self._consumer.close()

    def _take(self, message: Message, refused: list[str]) -> None:
        ended = message.error() is not None and at_end(message)  # raises what will not pass by itself
        partition, offset = message.partition(), message.offset()
        if partition is None or offset is None or offset < self._next.get(partition, offset + 1):
            return  # a partition that was just handed over
        if ended and offset > self._next[partition]:
            self._next[partition] = offset
            self._waiting.append(SourceDelta(partition, offset - 1, None))  # a transaction's mark
        if message.error() is not None:
            return
        self._next[partition] = offset + 1
        try:
            values = self._decoder.decode(message.value())
        except ContractError as error:
            values = None
            refused.append(f"{self._topic}/{partition} offset {offset}: {error}; it is passed over")
            _log.error("entity_outcome_refused", partition=partition, offset=offset, why=str(error))
        self._waiting.append(SourceDelta(partition, offset, values))

    def _tell_of_older(self) -> None:
        count, self._decoder.older = self._decoder.older, 0
        if count:
            text = (
                f"{self._topic}: {count} outcomes were sent before every field was declared as an entity of "
                "outcomes; features of the new entity do not count them"
            )
            self._alert("entity_outcome_older", text, {"older": count})
            _log.warning("entity_outcome_older", count=count)

    def _start(self, partition: int, offset: int) -> int:
        if self._consumer is None:
            return offset
        low, high = watermarks(self._consumer, self._topic, partition)
        if offset > high:
            raise StateError(
                f"{self._topic}/{partition} ends at offset {high}, but the feature log says that outcomes "
                f"up to {offset} were applied. Was the topic made anew? Use other topics to start anew"
            )
        if 0 < offset < low:
            if not self._retention_covers_windows:
                raise StateError(
                    f"{self._topic}/{partition}: outcomes from offset {offset} to {low} were deleted "
                    "before they were counted, and topics.retention is shorter than the longest "
                    "window, so counts would be too low. Use other topics, kept for longer, to start anew"
                )
            _log.warning("entity_outcomes_gone", partition=partition, first=offset, end=low)
        return max(offset, low)
