"""Which sound events of one partition are new, which are late, and which were there before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from feature_store.duplicates import Seen
from feature_store.units import format_duration, to_text

if TYPE_CHECKING:
    from feature_store.decode_batch import Bools, Ints
    from feature_store.duplicates import DuplicateFilter

LATE = "late_event"
"""The reason of a dead letter that came later than ``features.lateness`` allows."""


class Sound(NamedTuple):
    """Sound events of one partition, in order: what their ids are remembered by, and when they were."""

    ids: list[str]
    keys: list[bytes]
    bodies: list[bytes]
    arrivals: list[int]
    times: Ints

    def only(self, rows: list[int]) -> Sound:
        """Some of them."""
        return Sound(
            [self.ids[at] for at in rows],
            [self.keys[at] for at in rows],
            [self.bodies[at] for at in rows],
            [self.arrivals[at] for at in rows],
            self.times[rows],
        )


@dataclass
class Sifted:
    """Which of the events are new and stay, which of them are late, and what the others are."""

    kept: Bools
    late: Bools
    duplicates: list[int] = field(default_factory=list)
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    """Place, reason and detail of each dead letter."""


def behind(times: Ints, newest: int, lateness: int) -> tuple[Bools, Ints]:
    """Which events of one partition, in order, come later than ``lateness`` allows; and the newest event time
    before each, where ``newest`` is that before them all.
    """
    reached = np.maximum.accumulate(np.maximum(times, newest))
    before = np.concatenate([np.array([newest], np.int64), reached])[: len(times)]
    return times + lateness < before, before


class Sieve:
    """Sifts by the declared lateness and what is to be done with late events."""

    def __init__(self, lateness: int, *, late_are_refused: bool) -> None:
        self._lateness = lateness
        self._late_are_refused = late_are_refused

    def sift(self, events: Sound, known: DuplicateFilter, newest: int) -> Sifted:
        """``newest`` is the newest event time of the partition before; what stays is remembered."""
        if known.none_known(events.keys):
            return self._all_new(events, known, newest)
        return self._one_by_one(events, known, newest)

    def _all_new(self, events: Sound, known: DuplicateFilter, newest: int) -> Sifted:
        late, before = behind(events.times, newest, self._lateness)
        if not (self._late_are_refused and late.any()):
            known.expect(events.keys, events.bodies, events.arrivals)
            return Sifted(np.ones(len(late), np.bool_), late)
        kept = events.only(np.flatnonzero(~late).tolist())
        known.expect(kept.keys, kept.bodies, kept.arrivals)
        times, newests = events.times.tolist(), before.tolist()
        gone = np.flatnonzero(late).tolist()
        refused = [(at, *self._too_late(times[at], newests[at])) for at in gone]
        return Sifted(~late, np.zeros(len(late), np.bool_), refused=refused)

    def _one_by_one(self, events: Sound, known: DuplicateFilter, newest: int) -> Sifted:
        rows = len(events.ids)
        found = Sifted(np.zeros(rows, np.bool_), np.zeros(rows, np.bool_))
        for at, time in enumerate(events.times.tolist()):
            late = time < newest - self._lateness
            refused = late and self._late_are_refused
            ask = known.look if refused else known.check
            seen = ask(events.ids[at], events.bodies[at], events.arrivals[at])
            if seen is Seen.DUPLICATE:
                found.duplicates.append(at)
            elif seen is Seen.REUSED:
                detail = f"{events.ids[at]!r} was an event with another body before"
                found.refused.append((at, seen.value, detail))
            elif refused:
                found.refused.append((at, *self._too_late(time, newest)))
            else:
                found.kept[at], found.late[at] = True, late
                newest = max(newest, time)
        return found

    def _too_late(self, time: int, newest: int) -> tuple[str, str]:
        return LATE, (
            f"{to_text(time)} is {timedelta(microseconds=newest - time)} behind the newest event of its "
            f"partition; features.lateness is {format_duration(self._lateness)}"
        )
