"""Taking snapshots: between steps, one state at a time, written in the background."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from feature_store.duplicates import digest
from feature_store.snapshots import PartitionPosition, Shelf, Snapshot, SnapshotWriter, capture, units_of
from streams.scorer.partition_log import LogEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import Details
    from streams.scorer.core import ScorerCore
    from streams.scorer.deltas import OutcomePosition
    from streams.scorer.records import StepResult, Under

_log = structlog.get_logger()
_HANDOVER_S = 2.0
"""How long a handover waits for a snapshot that is being written: the next owner waits, too."""
_STOP_S = 10.0
"""How long a stop waits for the store: less than whoever asked for it waits for the process."""


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
        self.shelf = shelf
        """Where they are kept."""
        self._pipeline = pipeline
        self._core = core
        self._alert = alert
        self._now = now
        self._writer = SnapshotWriter(shelf, self._failed)
        self._every_s = pipeline.serving.snapshots.every / 1e6
        self._due = now() + self._every_s
        self._ends: dict[int, LogEnd] = {}
        self._messages: dict[int, bytes] = {}  # of those ends whose digest was not needed yet
        self._kept: dict[str, dict[int, PartitionPosition]] = {}
        self._waiting: list[str] = []

    def restored(self, ends: dict[int, LogEnd], kept: Iterable[Snapshot]) -> None:
        """Partitions were taken over with these ends of their logs, some of them from these snapshots."""
        self._ends |= ends
        self._kept |= {snapshot.unit: snapshot.positions for snapshot in kept}

    def stepped(self, result: StepResult, logged: dict[int, int], under: Under) -> None:
        """A step is committed; ``logged`` is the offset of each partition's last feature log message."""
        for partition, message in result.log:
            if partition in logged:
                self._ends[partition] = LogEnd(logged[partition], under, "")
                self._messages[partition] = message
            else:  # its offset was not told: not kept until the next step
                self._ends.pop(partition, None)

    def turn(self) -> None:
        """Keep at most one state, if it is time."""
        if not self._waiting and self._now() >= self._due:
            self._due = self._now() + self._every_s
            self._waiting = list(self._changed())
        while self._waiting and not self._writer.busy:
            unit = self._waiting.pop(0)
            partitions = self._changed().get(unit)
            if partitions is not None:
                self._writer.write(self._capture(unit, partitions))
                return

    def hand_over(self, partitions: Iterable[int]) -> None:
        """Keep the state of partitions that another scorer is about to take over."""
        leaving = set(partitions)
        changed = {u: held for u, held in self._changed().items() if leaving & set(held)}
        if not changed:
            return
        self._writer.wait(_HANDOVER_S)
        if self._writer.busy:
            _log.warning(
                "snapshots_passed_over", units=list(changed), why="the last one is still being written"
            )
            return
        self._writer.write(*[self._capture(unit, held) for unit, held in changed.items()])

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions are held no longer."""
        for partition in partitions:
            self._ends.pop(partition, None)
            self._messages.pop(partition, None)
        held = self._units(self._ends)
        self._kept = {unit: position for unit, position in self._kept.items() if unit in held}

    def finish(self) -> None:
        """Keep what changed, and return when all of it is written or time is up: an ordered stop."""
        deadline = time.monotonic() + _STOP_S
        changed = self._changed()
        while changed:
            self._writer.wait(max(deadline - time.monotonic(), 0.0))
            if self._writer.busy:
                _log.warning("snapshots_passed_over", units=list(changed), why="the store is too slow")
                return
            unit, partitions = changed.popitem()
            self._writer.write(self._capture(unit, partitions))
        self._writer.wait(max(deadline - time.monotonic(), 0.0))

    def close(self) -> None:
        """Write no more."""
        self._writer.close()

    def _changed(self) -> dict[str, list[int]]:
        """Unit -> its partitions, where anything was logged, the state is another than was last kept, and the
        end of its log is known.
        """
        while self._writer.not_written:
            self._kept.pop(self._writer.not_written.popleft(), None)
        return {
            unit: partitions
            for unit, partitions in self._units(self._core.positions).items()
            if all(p in self._ends for p in partitions)
            and any(self._ends[p].offset >= 0 for p in partitions)
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
        return {p: self._position(p, events[p], outcomes[p]) for p in partitions}

    def _position(self, partition: int, events: int, outcomes: OutcomePosition) -> PartitionPosition:
        history, claim = self._core.history[partition], self._core.claim_of(partition)
        end, message = self._ends[partition], self._messages.pop(partition, None)
        if message is not None:
            end = self._ends[partition] = end._replace(digest=digest(message).hex())
        return PartitionPosition(
            events=events,
            outcomes=outcomes.offset,
            route_seq=outcomes.route_seq,
            release_epoch=end.under.epoch,
            log_offset=end.offset,
            log_digest=end.digest,
            history=history,
            policy_offset=end.under.policy,
            claim=claim.number,
            claimed_at=claim.at,
        )

    def _failed(self, why: str) -> None:
        self._alert(
            "snapshot_not_written", f"{why}; scoring goes on, a restart would read more of the log", {}
        )
