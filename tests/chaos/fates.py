"""What should become of every record, and what the topics say became of it. Nothing here is the product's.

Read are the records of the source, the feature log (Arrow, with its account of every offset), the decisions
and the dead letters, all of them committed ones, each partition in order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.reading import Record

POISON = "poison"
"""A header of records that are none: each must become a dead letter."""
_META = b"sluicegate"
_NEVER_BACK = ("release_epoch", "policy_offset", "outcomes_offset", "route_seq")


@dataclass(frozen=True)
class Logged:
    """One message of the feature log."""

    partition: int
    meta: dict[str, Any]
    rows: list[dict[str, Any]]
    deltas: list[dict[str, Any]]


@dataclass
class Counts:
    """What was found; each of the last is one finding."""

    events: int = 0
    decided: int = 0
    dead: int = 0
    duplicates: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    findings: list[str] = field(default_factory=list)

    def tell(self, kind: str, text: str) -> None:
        """A finding: ``lost``, ``doubled`` or ``wrong``."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.findings) < 50:
            self.findings.append(f"{kind}: {text}")


class Fates:
    """The account of one source topic."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.sources: dict[int, list[Record]] = defaultdict(list)
        """Partition -> its records; the place in the list is the offset."""
        self.due: dict[tuple[int, int], str] = {}
        """Place -> what should become of it: it has not been accounted for."""
        self._first: dict[tuple[int, str], bytes] = {}
        self._next: dict[int, int] = defaultdict(int)
        self._last: dict[int, dict[str, Any]] = {}
        self._seq: dict[int, int] = {}
        self.undecided: dict[tuple[int, int], tuple[str, int, float | None]] = {}
        """Place of a logged row without a decision -> event id, epoch, score."""
        self.unwritten: set[tuple[int, int]] = set()
        """Places that the log calls dead letters, without one."""
        self._early: dict[tuple[int, int], list[Record]] = defaultdict(list)
        """Decisions and dead letters whose log has not been read."""
        self._decided_at: dict[int, int] = {}
        self._seen: set[tuple[int, int]] = set()

    def source(self, record: Record) -> None:
        """The next record of the source."""
        known = self.sources[record.partition]
        if record.offset != len(known):
            self.counts.tell("lost", f"source {record.partition}@{record.offset}: {len(known)} expected next")
        known.append(record)
        self.counts.events += 1
        self.due[record.partition, record.offset] = self._fate(record)

    def log(self, record: Record) -> Logged:
        """The next message of the feature log; every offset of its stretch has one fate."""
        logged = decoded(record)
        partition, meta = logged.partition, logged.meta
        if meta["first_offset"] != self._next[partition]:
            where = f"log {partition}@{record.offset}"
            self.counts.tell(
                "wrong", f"{where}: begins at {meta['first_offset']}, not {self._next[partition]}"
            )
        self._next[partition] = meta["next_offset"]
        self._check_order(logged)
        for offset, fate, row in _fates_of(logged):
            self._account((partition, offset), fate)
            if row is not None:
                self.undecided[partition, offset] = row["event_id"], meta["release_epoch"], row["score"]
            elif fate == "dead":
                self.unwritten.add((partition, offset))
            for early in self._early.pop((partition, offset), ()):
                (self.decision if early.topic == "decisions" else self.letter)(early)
        return logged

    def reach(self, record: Record) -> int:
        """How many records of its partition's source must have been read before a log message."""
        with pa.ipc.open_stream(pa.BufferReader(record.value or b"")) as stream:
            return int(json.loads((stream.schema.metadata or {})[_META])["next_offset"])

    def decision(self, record: Record) -> None:
        """The next decision; it is of a logged row, under its release and with its score."""
        found = json.loads(record.value or b"null")
        place = found["source"]["partition"], found["source"]["offset"]
        logged = self.undecided.pop(place, None)
        if logged is None:
            self._waits(place, record)
            return
        self._seen.add(place)
        self.counts.decided += 1
        if place[1] <= self._decided_at.get(place[0], -1):
            self.counts.tell("wrong", f"decision of {place} comes behind a later one of its partition")
        self._decided_at[place[0]] = place[1]
        if (found["event_id"], found["release"], found["score"]) != logged:
            said = (found["event_id"], found["release"], found["score"])
            self.counts.tell("wrong", f"decision of {place} says {said}, the log {logged}")

    def letter(self, record: Record) -> None:
        """The next dead letter; it holds the bytes of its source."""
        headers = dict(record.headers)
        place = int(headers["source_partition"]), int(headers["source_offset"])
        if place not in self.unwritten:
            self._waits(place, record)
            return
        self.unwritten.discard(place)
        self._seen.add(place)
        self.counts.dead += 1
        if record.value != self.sources[place[0]][place[1]].value:
            self.counts.tell("wrong", f"dead letter of {place} holds other bytes")

    def settled(self) -> bool:
        """Whether everything that was read of the source is accounted for everywhere."""
        return not self.due and not self.undecided and not self.unwritten

    def unsettled(self) -> str:
        """How much is not."""
        return (
            f"{len(self.due)} without a fate, {len(self.undecided)} without a decision, "
            f"{len(self.unwritten)} without a dead letter"
        )

    def close(self) -> None:
        """All was read: what is missing now is lost."""
        for place, fate in self.due.items():
            self.counts.tell("lost", f"{place}: not {fate}")
        for place in [*self.undecided, *self.unwritten]:
            self.counts.tell("lost", f"{place}: logged, but there is no decision or dead letter")
        for place, early in self._early.items():
            self.counts.tell("doubled", f"{place}: {len(early)} decisions or dead letters beside the log")

    def _waits(self, place: tuple[int, int], record: Record) -> None:
        if place in self._seen:
            self.counts.tell("doubled", f"{place}: another one in {record.topic}@{record.offset}")
        else:
            self._early[place].append(record)

    def _account(self, place: tuple[int, int], fate: str) -> None:
        expected = self.due.pop(place, None)
        if expected is None:
            kind = "doubled" if place[1] < len(self.sources[place[0]]) else "wrong"
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
    return Logged(record.partition, meta, table.to_pylist(), deltas)
