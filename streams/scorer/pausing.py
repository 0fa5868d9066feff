"""Pausing a partition of which too many records are refused, where the pipeline file asks for it.

Its records stay on their topic instead of becoming dead letters one after the other: once the cause is gone
they are decided in their order, with nothing to redrive. A pause ends by itself, so that a wrong alarm cannot
stop a partition for good; if the records behind it are as bad, the next pause begins when enough of them were
refused.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from feature_store.units import format_duration
from streams.kafka import Consumer, TopicPartition
from streams.scorer.bad_share import BadShare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import Details
    from streams.scorer.bad_share import Exceeded
    from streams.scorer.records import Refused, SourceRecord

_log = structlog.get_logger()


class Pausing:
    """Which partitions of a scorer wait, and until when. Pauses are forgotten with the process."""

    def __init__(
        self,
        pipeline: Pipeline,
        consumer: Consumer,
        alert: Callable[[str, str, Details], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``now`` is real time in seconds: the pipeline's clock may stand still while a partition waits."""
        self._declared = pipeline.serving.dead_letter_alert
        self._topic = pipeline.topics.events
        self._consumer = consumer
        self._alert = alert
        self._now = now
        self._shares: dict[int, BadShare] = {}
        self._until: dict[int, float] = {}

    def stepped(self, records: Sequence[SourceRecord], refused: Sequence[Refused], now: int) -> None:
        """Count a committed step, at ``now`` in the pipeline's clock (us), and pause what is too bad."""
        if not self._declared.pause:
            return
        bad = Counter(each.record.partition for each in refused)
        for partition, events in Counter(record.partition for record in records).items():
            share = self._shares.setdefault(partition, BadShare(self._declared))
            found = share.step(events, bad[partition], now)
            if found is not None:
                self._pause(partition)
                details = {"partition": partition, **found.details}
                self._alert("partition_paused", self._text(partition, found), details)

    def turn(self) -> None:
        """Between two steps: go on where a pause is over."""
        if self._until:
            self._resume([p for p, until in self._until.items() if until <= self._now()])

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions are about to be somebody else's; they are paused for nobody."""
        lost = list(partitions)
        for partition in lost:
            self._shares.pop(partition, None)
        self._resume([partition for partition in lost if partition in self._until])

    def _text(self, partition: int, found: Exceeded) -> str:
        window, pause = format_duration(found.window), format_duration(self._declared.pause)
        return (
            f"{self._topic}/{partition}: {found.refused} of {found.events} records within {window} became "
            f"dead letters; `sluicegate dlq list` says why. Its events wait for {pause}, or until its scorer "
            "is started again; other partitions go on"
        )

    def _pause(self, partition: int) -> None:
        self._consumer.pause([TopicPartition(self._topic, partition)])
        self._until[partition] = self._now() + self._declared.pause / 1e6
        del self._shares[partition]  # what comes behind the pause is counted anew

    def _resume(self, partitions: list[int]) -> None:
        if not partitions:
            return
        self._consumer.resume([TopicPartition(self._topic, partition) for partition in partitions])
        for partition in partitions:
            del self._until[partition]
        _log.info("partitions_resumed", partitions=partitions)
