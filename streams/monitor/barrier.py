"""Knowing that everything in some topics up to a moment has been counted.

Decisions and outcomes come by different topics, and after a restart one may be read days ahead of the
other. What is judged at time ``now`` is judged once the ends that the topics had then have been passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.monitor.transport import fetched_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from faust.types import TP, AppT

    from streams.monitor.progress import Progress


class Barrier:
    """Calls ``then(now)`` each time that ``topics`` have been read to where they ended at ``now``."""

    def __init__(
        self,
        app: AppT,
        topics: set[str],
        counted: Progress,
        clock: Callable[[], int],
        then: Callable[[int], None],
    ) -> None:
        self._app = app
        self._topics = topics
        self._counted = counted
        self._clock = clock
        self._then = then
        self._now = 0
        self._ends: dict[TP, int] = {}

    async def step(self) -> bool:
        """Note the ends, or see whether they have been passed; True if so."""
        if not self._ends:
            await self._note_ends()
        if not self._ends or not all(map(self._passed, self._ends)):
            return False
        self._then(self._now)
        self._ends = {}
        return True

    async def _note_ends(self) -> None:
        consumer = self._app.consumer
        watched = [partition for partition in consumer.assignment() if partition.topic in self._topics]
        now = self._clock()
        if {partition.topic for partition in watched} == self._topics:
            self._now = now
            self._ends = dict(await consumer.highwaters(*watched))

    def _passed(self, partition: TP) -> bool:
        fetched = fetched_by(self._app).get(partition)
        if fetched is None or fetched.position < self._ends[partition]:
            return False
        return self._counted.reached(partition.topic, partition.partition) > fetched.last
