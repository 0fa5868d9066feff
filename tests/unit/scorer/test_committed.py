"""The position that a group keeps: the events' offset, and the outcomes' as a note beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.scorer.committed import committed_positions, to_offset
from streams.scorer.records import Position

if TYPE_CHECKING:
    from streams.kafka import Consumer


class Group:
    """A group that has committed what it is told."""

    def __init__(self, *committed: TopicPartition) -> None:
        self._committed = list(committed)

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        assert partitions == []
        return self._committed


class Unstable:
    """The answer for a partition whose last transaction is not decided yet."""

    partition = 0
    error = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)


def positions_of(*committed: TopicPartition) -> dict[int, Position | None]:
    return committed_positions(cast("Consumer", Group(*committed)), [])


def test_a_position_comes_back_as_it_was_committed() -> None:
    found = positions_of(to_offset("t", 3, Position(7, 12)), to_offset("t", 0, Position(0, 0, 3)))
    assert found == {3: (7, 12, 0), 0: (0, 0, 3)}


@pytest.mark.parametrize(
    "note", ["", "by hand", "outcomes=-1", "outcomes=" + "9" * 400, "outcomes=1 ", "claim=2"]
)
def test_an_offset_that_was_set_by_hand_says_nothing_of_outcomes(note: str) -> None:
    assert positions_of(TopicPartition("t", 0, 5, metadata=note)) == {0: (5, 0, 0)}
    assert positions_of(TopicPartition("t", 0, 5)) == {0: (5, 0, 0)}


def test_no_offset_is_not_the_same_as_one_that_is_not_known() -> None:
    assert positions_of(TopicPartition("t", 0, -1001)) == {0: None}
    with pytest.raises(KafkaException):
        positions_of(cast("TopicPartition", Unstable()))
