"""Which snapshots a take-over may begin with: the newest of each state that the feature log confirms.

A snapshot is never trusted over the log. It names the last feature log message that is in it; that message
must still stand in the log, byte for byte, so that what follows it is exactly what the snapshot lacks. And it
must count there: a scorer that was given up but lives may take snapshots of what no reader counts. Where it
stands there but cannot be read yet it is waited for: the log is read to the group's position next, and has to
wait as long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from feature_store.duplicates import digest
from feature_store.errors import StorageError
from feature_store.log import decode_log
from feature_store.snapshots.shelf import reject
from streams.kafka import read_range
from streams.scorer.partition_log import LOG_PATIENCE_S, bounds_beyond

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.claims import Claim
    from feature_store.snapshots import PartitionPosition, Shelf, Snapshot
    from streams.kafka import Consumer
    from streams.scorer.partition_log import LogBounds
    from streams.scorer.records import Position

_log = structlog.get_logger()

Named = tuple[str, "Snapshot"]


class Bases:
    """Finds snapshots for partitions whose next events and whose bounds of the feature log are given."""

    def __init__(
        self,
        bootstrap: str,
        probe: Consumer,
        topic: str,
        starts: dict[int, Position],
        bounds: dict[int, LogBounds],
        claims: dict[int, Claim],
    ) -> None:
        """``claims`` are those of this scorer, made by now; none where transactions keep others out."""
        self._bootstrap = bootstrap
        self._probe = probe
        self._topic = topic
        self._starts = starts
        self._bounds = bounds
        self._claims = claims
        self._deadline = time.monotonic() + LOG_PATIENCE_S

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
        start, place, end = self._starts[partition].events, f"{self._topic}/{partition}", position.log_offset
        if position.events > start and partition not in self._claims:
            return f"{place}: it stands at event {position.events}, the group at {start}"
        low, high = self._bounds_beyond(partition, end)
        if end >= high:
            return f"{place}: it ends with log message {end}, the log ends before {high}"
        nothing_followed = low == high and position.events >= start
        if end < low and low > 0 and not nothing_followed:
            return f"{place}: it ends with log message {end}, the log begins at {low}"
        return ""

    def _bounds_beyond(self, partition: int, offset: int) -> LogBounds:
        if offset >= self._bounds[partition].high:
            self._bounds[partition] = bounds_beyond(
                self._bootstrap, self._probe, self._topic, partition, offset, self._deadline
            )
        return self._bounds[partition]

    def _doubts(self, offered: dict[str, Named]) -> dict[str, str]:
        """Unit -> why the log does not confirm its snapshot; empty where it does."""
        positions = {p: at for _, snapshot in offered.values() for p, at in snapshot.positions.items()}
        asked = {p: at.log_offset for p, at in positions.items() if at.log_offset >= self._bounds[p].low}
        there = {
            message.partition(): message.value()
            for message in read_range(self._bootstrap, self._topic, {p: (o, o + 1) for p, o in asked.items()})
        }
        wrong = {p for p in asked if digest(there.get(p) or b"").hex() != positions[p].log_digest}
        doubts = {
            p: f"{self._topic}/{p}: log message {asked[p]} is another one than it was taken after"
            for p in wrong
        }
        doubts |= {
            p: f"{self._topic}/{p}: log message {asked[p]} was written by a scorer that had been given up"
            for p in asked
            if p not in wrong and self._superseded(p, positions[p])
        }
        return {
            unit: next((doubts[p] for p in snapshot.positions if p in doubts), "")
            for unit, (_, snapshot) in offered.items()
        }

    def _superseded(self, partition: int, position: PartitionPosition) -> bool:
        """Whether another scorer's claim may stand before the last message of a snapshot.

        It does not where nobody came between that claim and ours, or where the first message under a higher
        claim, behind the snapshot's, is the one that makes it.
        """
        mine = self._claims.get(partition)
        if mine is None or mine.number == position.claim + 1:
            return False
        for message in read_range(
            self._bootstrap, self._topic, {partition: (position.log_offset + 1, mine.at)}
        ):
            meta = decode_log(message.value() or b"")[1]
            if meta.claim > position.claim:
                return not meta.makes_claim
        return True
