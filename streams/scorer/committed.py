"""What a group has committed: the next event, and beside it, as a note, the next entity outcome and claim.

A step may have outcomes only; the offset of the events then says nothing about whether the end of the
feature log can be seen already, the note does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from streams.kafka import KafkaException, TopicPartition
from streams.scorer.records import Position

if TYPE_CHECKING:
    from streams.kafka import Consumer

_TIMEOUT_S = 60.0
_NOTE = re.compile(r"outcomes=(\d{1,19})(?:,claim=(\d{1,19}))?")


def to_offset(topic: str, partition: int, position: Position) -> TopicPartition:
    """The position as Kafka keeps it."""
    claim = f",claim={position.claim}" if position.claim else ""
    return TopicPartition(topic, partition, position.events, metadata=f"outcomes={position.outcomes}{claim}")


def committed_positions(consumer: Consumer, partitions: list[TopicPartition]) -> dict[int, Position | None]:
    """Partition -> the group's stable position, None where it has none. Raises KafkaException."""
    found: dict[int, Position | None] = {}
    for tp in consumer.committed(partitions, timeout=_TIMEOUT_S):
        if tp.error is not None:
            raise KafkaException(tp.error)  # not known is not the same as none
        note = _NOTE.fullmatch(tp.metadata or "")
        position = Position(tp.offset, int(note[1]), int(note[2] or 0)) if note else Position(tp.offset)
        found[tp.partition] = position if tp.offset >= 0 else None
    return found
