"""Taking snapshots: between steps, one state at a time, written in the background."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from feature_store.duplicates import digest
from feature_store.snapshots import PartitionPosition, Shelf, Snapshot, SnapshotWriter, capture, units_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import Details
    from streams.scorer.core import ScorerCore
    from streams.scorer.records import StepResult

_log = structlog.get_logger()
_HANDOVER_S = 2.0
"""How long a handover waits for a snapshot that is being written: the next owner waits, too."""


class Snapshots:
    """Keeps the committed state of the partitions that a scorer holds.

    ``turn`` is called between steps. A state that did not change since it was last kept is passed over; while
    one is being written no other is copied, however slow the store is.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        core: ScorerCore,
        shelf: Shelf,
        alert: Callable[[str, str, Details], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline = pipeline
        self._core = core
        self._alert = alert
        self._now = now
        self._writer = SnapshotWriter(shelf, self._failed)
        self._every_s = pipeline.serving.snapshots.every / 1e6
        self._due = now() + self._every_s
        self._ends: dict[int, _LogEnd] = {}
        self._kept: dict[str, dict[int, PartitionPosition]] = {}
        self._waiting: list[str] = []

    def restored(self, positions: dict[int, PartitionPosition], kept: Iterable[Snapshot]) -> None:
        """Partitions were taken over at these positions, some of them from these snapshots."""
        self._ends |= {p: _LogEnd.of(position) for p, position in positions.items()}
        self._kept |= {snapshot.unit: snapshot.positions for snapshot in kept}

    def stepped(self, result: StepResult, logged: dict[int, int], epoch: int) -> None:
        """A step is committed; ``logged`` is the offset of each partition's last feature log message."""
        for partition, message in result.log:
            self._ends[partition] = _LogEnd(logged.get(partition, _UNKNOWN), epoch, message)

    def turn(self) -> None:
        """Keep at most one state, if it is time."""
        if not self._waiting and self._now() >= self._due:
            self._due = self._now() + self._every_s
            self._waiting = list(self._changed(self._core.positions))
        while self._waiting and not self._writer.busy:
            unit = self._waiting.pop(0)
            partitions = self._changed(self._core.positions).get(unit)
            if partitions is not None:
                self._writer.write(self._capture(unit, partitions))

    def hand_over(self, partitions: Iterable[int]) -> None:
        """Keep the state of partitions that another scorer is about to take over."""
        leaving = set(partitions)
        changed = {u: held for u, held in self._changed(self._core.positions).items() if leaving & set(held)}
        if not changed:
            return
        self._writer.wait(_HANDOVER_S)
        if self._writer.busy:
            _log.warning("snapshots_passed_over", units=list(changed), why="the last one is still being written")
            return
        self._writer.write(*[self._capture(unit, held) for unit, held in changed.items()])

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions are held no longer."""
        for partition in partitions:
            self._ends.pop(partition, None)
        held = self._units(self._ends)
        self._kept = {unit: position for unit, position in self._kept.items() if unit in held}

    def finish(self) -> None:
        """Keep what changed, and return when all of it is written: an ordered stop."""
        for unit, partitions in self._changed(self._core.positions).items():
            self._writer.wait()
            self._writer.write(self._capture(unit, partitions))
        self._writer.wait()

    def _changed(self, held: Iterable[int]) -> dict[str, list[int]]:
        """Unit -> its partitions, where the state is another than was last kept and its end is known."""
        return {
            unit: partitions
            for unit, partitions in self._units(held).items()
            if all(p in self._ends and self._ends[p].offset != _UNKNOWN for p in partitions)
            and self._positions(partitions) != self._kept.get(unit)
        }

    def _units(self, held: Iterable[int]) -> dict[str, list[int]]:
        return units_of(self._pipeline, held)

    def _capture(self, unit: str, partitions: list[int]) -> Snapshot:
        core = self._core
        positions = self._kept[unit] = self._positions(partitions)
        filters = {partition: core.intake.filter_of(partition) for partition in partitions}
        return capture(self._pipeline, unit, core.store, filters, positions, core.seq)

    def _positions(self, partitions: list[int]) -> dict[int, PartitionPosition]:
        events, outcomes = self._core.positions, self._core.outcomes
        return {p: self._ends[p].position(events[p], *outcomes[p]) for p in partitions}

    def _failed(self, why: str) -> None:
        self._alert("snapshot_not_written", f"{why}; scoring goes on, a restart would read more of the log", {})


_UNKNOWN = -2


class _LogEnd:
    """The last feature log message that is in a partition's state; offset -1 where there was none."""

    def __init__(self, offset: int, epoch: int, message: bytes | None = None, text: str = "") -> None:
        self.offset = offset
        self._epoch = epoch
        self._message = message
        self._text = text

    @classmethod
    def of(cls, position: PartitionPosition) -> _LogEnd:
        return cls(position.log_offset, position.release_epoch, text=position.log_digest)

    def position(self, events: int, outcomes: int, route_seq: int) -> PartitionPosition:
        if self._message is not None:
            self._text, self._message = digest(self._message).hex(), None
        return PartitionPosition(events, outcomes, route_seq, self._epoch, self.offset, self._text)
