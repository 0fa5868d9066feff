"""A partition with too many dead letters waits, where that is declared, and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from streams.scorer.pausing import Pausing
from streams.scorer.records import Refused, SourceRecord
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from confluent_kafka import TopicPartition

    from streams.kafka import Consumer


class Partitions:
    """A consumer whose partitions wait or not."""

    def __init__(self) -> None:
        self.waiting: set[int] = set()

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.waiting |= {each.partition for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.waiting -= {each.partition for each in partitions}


class Scene:
    """A scorer's partitions, 30 seconds of pause, and what was said."""

    def __init__(self, folder: Path, **declared: Any) -> None:
        spec = {"share": 0.5, "least": 10, "window": "5m", "pause": "30s", **declared}
        pipeline = private_pipeline(folder, "unit", serving={"dead_letter_alert": spec})[1]
        self.consumer = Partitions()
        self.alerts: list[tuple[str, str, Any]] = []
        self.seconds = 0.0
        self.pausing = Pausing(
            pipeline, cast("Consumer", self.consumer), lambda *told: self.alerts.append(told), self._now
        )

    def _now(self) -> float:
        return self.seconds

    def step(self, bad: dict[int, int], good: dict[int, int]) -> set[int]:
        """So many bad and good records of partitions; which of these wait then."""
        records = [
            SourceRecord(partition, offset, None, b"", 0, 0)
            for partition in {*bad, *good}
            for offset in range(bad.get(partition, 0) + good.get(partition, 0))
        ]
        refused = [Refused(each, "empty", "") for each in records if each.offset < bad.get(each.partition, 0)]
        self.pausing.stepped(records, refused, 0)
        return self.consumer.waiting


def test_only_the_bad_partition_waits_and_goes_on_after_the_declared_time(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    assert scene.step({0: 4}, {0: 4, 1: 50}) == set()  # fewer than ten say nothing
    assert scene.step({0: 4}, {1: 50}) == {0}
    ((kind, text, details),) = scene.alerts
    assert kind == "partition_paused"
    assert "/0: 8 of 12 records within 5m became dead letters" in text
    assert "wait for 30s" in text
    assert (details["partition"], details["share"]) == (0, 0.6667)
    scene.seconds = 29.9
    scene.pausing.turn()
    assert scene.consumer.waiting == {0}
    scene.seconds = 30.0
    scene.pausing.turn()
    assert scene.consumer.waiting == set()


def test_what_is_as_bad_behind_a_pause_is_paused_again_once_there_is_enough_of_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.step({0: 20}, {})
    scene.seconds = 31
    scene.pausing.turn()
    assert scene.step({0: 9}, {}) == set()
    assert scene.step({0: 1}, {}) == {0}
    assert len(scene.alerts) == 2


def test_a_partition_that_goes_to_another_scorer_is_paused_for_nobody(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.step({0: 20, 1: 20}, {})
    scene.pausing.forget([0])
    assert scene.consumer.waiting == {1}
    scene.seconds = 31
    scene.pausing.turn()
    assert scene.consumer.waiting == set()


@pytest.mark.parametrize("pause", ["0s"])
def test_nothing_is_paused_where_it_is_not_asked_for(tmp_path: Path, pause: str) -> None:
    scene = Scene(tmp_path, pause=pause)
    assert scene.step({0: 1_000}, {}) == set()
    assert scene.alerts == []
