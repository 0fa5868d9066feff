"""What should become of every record, and what the topics say became of it. Nothing here is the product's.

Read are the records of the source, the feature log (Arrow, with its account of every offset), the decisions
and the dead letters, all of them committed ones, each partition in order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.counts import Counts
    from tests.chaos.reading import Record

POISON = "poison"
"""A header of records that are none: each must become a dead letter."""
_META = b"sluicegate"
_DECIDED = ("event_id", "release", "score", "action", "origin_partition", "origin_offset")
_NEVER_BACK = ("release_epoch", "policy_offset", "outcomes_offset", "route_seq")
Place = tuple[int, int]
"""Partition and offset."""


class Logged(NamedTuple):
    """One message of a log."""

    partition: int
    offset: int
    meta: dict[str, Any]
    rows: list[dict[str, Any]]
    deltas: list[dict[str, Any]]

    @property
    def reach(self) -> int:
        """The offset behind the last record of the source that it speaks of."""
        places = [row["source_offset"] for row in self.rows]
        return max([*places, *self.meta["duplicates"], *self.meta["dead_letters"]], default=-1) + 1


class Fates:
    """The account of one stage: of its source topic, and of its log.

    ``first``: it reads the events themselves, of which some become dead letters or are duplicates. What a
    later one reads was checked before, and its topic has gaps, where transactions ended.
    """

    def __init__(self, counts: Counts, *, first: bool = True) -> None:
        self.counts = counts
        self.sources: dict[int, dict[int, Record]] = defaultdict(dict)
        """Partition -> offset -> its record."""
        self.read: dict[int, int] = defaultdict(int)
        """Partition -> the offset behind the last that was read."""
        self.due: dict[Place, str] = {}
        """Place -> what should become of it: it has not been accounted for."""
        self._gaps = not first
        self._first: dict[tuple[int, str], bytes] = {}
        self._next: dict[int, int] = defaultdict(int)
        self._last: dict[int, dict[str, Any]] = {}
        self._seq: dict[int, int] = {}
        self.undecided: dict[Place, dict[str, Any]] = {}
        """Place of a logged row that nothing came of yet -> the row, and under which epoch."""
        self.unwritten: set[Place] = set()
        """Places that the log calls dead letters, without one."""
        self._early: dict[Place, list[Record]] = defaultdict(list)
        """Decisions and dead letters whose log has not been read."""
        self._decided_at: dict[tuple[int, int], int] = {}
        self.seen: set[Place] = set()
        """Places of which the decision, dead letter or record of the next stage was found."""

    def source(self, record: Record) -> None:
        """The next record of the source."""
        partition, expected = record.partition, self.read[record.partition]
        if record.offset != expected and not self._gaps:
            self.counts.tell("lost", f"source {partition}@{record.offset}: {expected} expected next")
        self.sources[partition][record.offset] = record
        self.read[partition] = record.offset + 1
        self.counts.events += not self._gaps
        self.due[partition, record.offset] = "decided" if self._gaps else self._fate(record)

    def log(self, logged: Logged) -> None:
        """The next message of the log; every offset of its stretch has one fate."""
        partition, meta = logged.partition, logged.meta
        if meta["first_offset"] != self._next[partition]:
            where = f"log {partition}@{logged.offset}"
            self.counts.tell(
                "wrong", f"{where}: begins at {meta['first_offset']}, not {self._next[partition]}"
            )
        self._next[partition] = meta["next_offset"]
        self._check_order(logged)
        for offset, fate, row in _fates_of(logged):
            self._account((partition, offset), fate)
            if row is not None:
                self.undecided[partition, offset] = row | {"release": meta["release_epoch"]}
            elif fate == "dead":
                self.unwritten.add((partition, offset))
            for early in self._early.pop((partition, offset), ()):
                (self.decision if early.topic == "decisions" else self.letter)(early)

    def decision(self, record: Record) -> None:
        """The next decision; it is of a logged row, under its release, with its score and its action."""
        found = json.loads(record.value or b"null")
        place = found["source"]["partition"], found["source"]["offset"]
        row = self.undecided.pop(place, None)
        if row is None:
            self._waits(place, record)
            return
        self.seen.add(place)
        self.counts.decided += 1
        way = place[0], record.partition
        if place[1] <= self._decided_at.get(way, -1):
            self.counts.tell("wrong", f"decision of {place} comes behind a later one of its partition")
        self._decided_at[way] = place[1]
        origin = found.get("origin") or {}
        own = (found["event_id"], found["release"], found["score"], found["action"])
        said = (*own, origin.get("partition"), origin.get("offset"))
        logged = tuple(row.get(name) for name in _DECIDED)
        if said != logged:
            self.counts.tell("wrong", f"decision of {place} says {said}, the log {logged}")

    def passed_on(self, place: Place) -> dict[str, Any] | None:
        """The logged row that the next stage has logged, too; None where it has logged it before."""
        row = self.undecided.pop(place, None)
        if row is None:
            self.counts.tell("doubled", f"{place}: another one in the log of the next stage")
        self.seen.add(place)
        return row

    def letter(self, record: Record) -> None:
        """The next dead letter; it holds the bytes of its source."""
        headers = dict(record.headers)
        place = int(headers["source_partition"]), int(headers["source_offset"])
        if place not in self.unwritten:
            self._waits(place, record)
            return
        self.unwritten.discard(place)
        self.seen.add(place)
        self.counts.dead += 1
        if record.value != self.sources[place[0]][place[1]].value:
            self.counts.tell("wrong", f"dead letter of {place} holds other bytes")

    def settled(self) -> bool:
        """Whether everything that was read of the source is accounted for everywhere, with nothing beside."""
        return not self.due and not self.undecided and not self.unwritten and not self._early

    def unsettled(self) -> str:
        """How much is not."""
        return (
            f"{len(self.due)} without a fate, {len(self.undecided)} not decided or passed on, "
            f"{len(self.unwritten)} without a dead letter, {len(self._early)} told that no log has"
        )

    def close(self) -> None:
        """All was read: what is missing now is lost."""
        for place, fate in self.due.items():
            self.counts.tell("lost", f"{place}: not {fate}")
        for place in [*self.undecided, *self.unwritten]:
            self.counts.tell("lost", f"{place}: logged, but neither decided, passed on nor a dead letter")
        for place, early in self._early.items():
            self.counts.tell("doubled", f"{place}: {len(early)} decisions or dead letters beside the log")

    def _waits(self, place: Place, record: Record) -> None:
        if place[1] < self._next[place[0]]:
            kind = "another" if place in self.seen else "unlike its log,"
            self.counts.tell("doubled", f"{place}: {kind} one in {record.topic}@{record.offset}")
        else:
            self._early[place].append(record)

    def _account(self, place: Place, fate: str) -> None:
        expected = self.due.pop(place, None)
        if expected is None:
            kind = "doubled" if place[1] in self.sources[place[0]] else "wrong"
            self.counts.tell(kind, f"{place}: {fate} once more, or not of the source")
        elif expected != fate:
            self.counts.tell("wrong", f"{place}: {fate}, expected {expected}")
        self.counts.duplicates += fate == "duplicate"

    def _check_order(self, logged: Logged) -> None:
        partition, meta = logged.partition, logged.meta
        before = self._last.get(partition, meta)
        for name in _NEVER_BACK:
            if meta[name] < before[name]:
                text = f"{name} of partition {partition} went from {before[name]} back to {meta[name]}"
                self.counts.tell("wrong", text)
        self._last[partition] = meta
        orders = [self._seq.get(partition, -1), *(row["seq"] for row in [*logged.deltas, *logged.rows])]
        if any(later <= earlier for earlier, later in pairwise(orders)):
            self.counts.tell("wrong", f"applied order of partition {partition} went back: {orders[:5]}…")
        self._seq[partition] = orders[-1]
        offsets = [row["source_offset"] for row in logged.rows]
        if offsets != sorted(offsets):
            self.counts.tell("wrong", f"partition {partition} was applied out of order")

    def _fate(self, record: Record) -> str:
        if any(name == POISON for name, _ in record.headers):
            return "dead"
        value = record.value or b""
        try:
            event_id = json.loads(value)["event_id"]
        except ValueError:
            return "dead"
        first = self._first.setdefault((record.partition, event_id), value)
        if first is value:
            return "decided"
        return "duplicate" if first == value else "dead"


def _fates_of(logged: Logged) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    for row in logged.rows:
        yield row["source_offset"], "decided", row
    for offset in logged.meta["duplicates"]:
        yield offset, "duplicate", None
    for offset in logged.meta["dead_letters"]:
        yield offset, "dead", None


def decoded(record: Record) -> Logged:
    """A message of the feature log: an Arrow stream of rows, one of deltas behind it where there are any."""
    source = pa.BufferReader(record.value or b"")
    with pa.ipc.open_stream(source) as stream:
        table = stream.read_all()
    meta = json.loads((table.schema.metadata or {})[_META])
    deltas: list[dict[str, Any]] = []
    if source.tell() < len(record.value or b""):
        with pa.ipc.open_stream(source) as stream:
            deltas = stream.read_all().to_pylist()
    return Logged(record.partition, record.offset, meta, table.to_pylist(), deltas)
