"""Which snapshots a take-over may begin with: the newest of each state that the feature log confirms.

A snapshot is never trusted over the log. It names the last feature log message that is in it; that message
must still stand in the log, byte for byte, so that what follows it is exactly what the snapshot lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from feature_store.duplicates import digest
from feature_store.errors import StorageError
from feature_store.snapshots.shelf import reject
from streams.kafka import read_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.snapshots import PartitionPosition, Shelf, Snapshot
    from streams.scorer.partition_log import LogBounds

_log = structlog.get_logger()

Named = tuple[str, "Snapshot"]


class Bases:
    """Finds snapshots for partitions whose next events and whose bounds of the feature log are given."""

    def __init__(
        self, bootstrap: str, topic: str, starts: dict[int, int], bounds: dict[int, LogBounds]
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._starts = starts
        self._bounds = bounds

    def find(self, shelf: Shelf, units: dict[str, list[int]]) -> dict[str, Snapshot]:
        """Unit -> the newest snapshot that fits; units without one are not in it."""
        found: dict[str, Snapshot] = {}
        offers = {unit: self._plausible(shelf, unit, held) for unit, held in units.items()}
        while offers:
            offered: dict[str, Named] = {}
            for unit in list(offers):
                offer = next(offers[unit], None)
                if offer is None:
                    del offers[unit]
                else:
                    offered[unit] = offer
            for unit, why in self._doubts(offered).items():
                name, snapshot = offered[unit]
                if why:
                    reject(name, why)
                else:
                    found[unit] = snapshot
                    del offers[unit]
        return found

    def _plausible(self, shelf: Shelf, unit: str, partitions: list[int]) -> Iterator[Named]:
        try:
            for name, snapshot in shelf.newest_first(unit):
                if why := self._misplaced(snapshot, partitions):
                    reject(name, why)
                else:
                    yield name, snapshot
        except StorageError as error:
            _log.warning("snapshots_out_of_reach", unit=unit, why=str(error))

    def _misplaced(self, snapshot: Snapshot, partitions: list[int]) -> str:
        if sorted(snapshot.positions) != partitions:
            return f"it holds partitions {sorted(snapshot.positions)}, wanted are {partitions}"
        doubts = (self._misplaced_at(p, position) for p, position in snapshot.positions.items())
        return next(filter(None, doubts), "")

    def _misplaced_at(self, partition: int, position: PartitionPosition) -> str:
        start, (low, high) = self._starts[partition], self._bounds[partition]
        place, end = f"{self._topic}/{partition}", position.log_offset
        if position.events > start:
            return f"{place}: it stands at event {position.events}, the group at {start}"
        if end >= high:
            return f"{place}: it ends with log message {end}, the log ends before {high}"
        nothing_followed = low == high and position.events == start
        if end < low and low > 0 and not nothing_followed:
            return f"{place}: it ends with log message {end}, the log begins at {low}"
        return ""

    def _doubts(self, offered: dict[str, Named]) -> dict[str, str]:
        """Unit -> why the log does not confirm its snapshot; empty where it does."""
        positions = {p: at for _, snapshot in offered.values() for p, at in snapshot.positions.items()}
        asked = {p: at.log_offset for p, at in positions.items() if at.log_offset >= self._bounds[p].low}
        there = {
            message.partition(): message.value()
            for message in read_range(self._bootstrap, self._topic, {p: (o, o + 1) for p, o in asked.items()})
        }
        wrong = {p for p in asked if digest(there.get(p) or b"").hex() != positions[p].log_digest}
        return {
            unit: next(
                (
                    f"{self._topic}/{p}: log message {asked[p]} is another one than it was taken after"
                    for p in snapshot.positions
                    if p in wrong
                ),
                "",
            )
            for unit, (_, snapshot) in offered.items()
        }
