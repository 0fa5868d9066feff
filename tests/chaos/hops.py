"""What one stage has passed on is in the next one: once, with its own bytes, in its partition's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.counts import Counts
    from tests.chaos.fates import Fates, Logged, Place


class Hops:
    """The account of what lies between two stages."""

    def __init__(self, counts: Counts, before: Fates, after: Fates) -> None:
        self._counts = counts
        self._before = before
        self._after = after
        self._last: dict[tuple[int, int], int] = {}
        """Partitions of origin and of the next stage's input -> the origin that came last."""

    def known(self, logged: Logged) -> bool:
        """Whether the log of the stage before has every event that this message of the next one speaks of."""
        origins = map(_origin, logged.rows)
        return all(origin in self._before.undecided or origin in self._before.seen for origin in origins)

    def log(self, logged: Logged) -> None:
        """The next message of the later stage's log."""
        for row in logged.rows:
            origin, place = _origin(row), (logged.partition, row["source_offset"])
            passed = self._before.passed_on(origin)
            if passed is not None:
                said, logged_as = (row["event_id"], row["seq_0"]), (passed["event_id"], passed["seq"])
                if said != logged_as:
                    self._counts.tell("wrong", f"{place}: came as {said}, was logged before as {logged_as}")
            if self._value(self._after, place) != self._value(self._before, origin):
                self._counts.tell("wrong", f"{place}: not the bytes of {origin}, which it came from")
            way = origin[0], place[0]
            if origin[1] <= self._last.get(way, -1):
                self._counts.tell("wrong", f"{place}: of {origin}, behind a later one of its partition")
            self._last[way] = origin[1]

    def _value(self, stage: Fates, place: Place) -> bytes | None:
        record = stage.sources[place[0]].get(place[1])
        return record.value if record is not None else None


def _origin(row: dict[str, Any]) -> Place:
    return row["origin_partition"], row["origin_offset"]
