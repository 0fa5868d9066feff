"""A sample of the newest events, with their features: what is held against a reference, whichever it is.

Every slot of the window keeps the events of the least draw, a hash of their place on Kafka: so the sample
does not depend on the order in which partitions are read, and a monitor that starts again has the same one.
An event of a slot stands for as many as were left out for each that was kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.monitor.arrays import Floats, Ints, Keys

SLOTS = 24
_ROWS_PER_SLOT = 512
_MOST_NUMBERS = 6_000_000
"""Numbers that are kept at most, about 50 MB: with very many features fewer events."""
_LEAST_ROWS = 64


class Taken(NamedTuple):
    """What is remembered of some events: one row each. Nothing is read of those that are not kept."""

    entities: Keys
    models: Ints
    scores: Floats
    features: Floats

    def joined(self, more: Taken) -> Taken:
        """These rows and then those."""
        return Taken(
            np.concatenate([self.entities, more.entities]),
            np.concatenate([self.models, more.models]),
            np.concatenate([self.scores, more.scores]),
            np.concatenate([self.features, more.features]),
        )

    def at(self, places: Ints) -> Taken:
        """The rows at these places."""
        return Taken(self.entities[places], self.models[places], self.scores[places], self.features[places])


class Sample(NamedTuple):
    """The window: one row per event that was kept, ``weights`` the events that each stands for."""

    weights: Floats
    entities: Keys
    models: Ints
    scores: Floats
    features: Floats
    events: int
    """How many there were."""


@dataclass
class _Slot:
    seen: int
    draws: Keys
    rows: Taken


class Recent:
    """The newest events, ``window`` (us) long by their arrival."""

    def __init__(self, window: int, features: int) -> None:
        self._width = max(window // SLOTS, 1)
        self._keep = min(_ROWS_PER_SLOT, max(_MOST_NUMBERS // (SLOTS * 2 * max(features, 1)), _LEAST_ROWS))
        self._features = features
        self._slots: dict[int, _Slot] = {}
        self._first: int | None = None
        self._newest = -1

    def add(self, times: Ints, draws: Keys, take: Callable[[Ints], Taken]) -> None:
        """Count events at ``times`` (us); ``take`` gives the rows of those at these places."""
        if not times.size:
            return
        slots = times // self._width
        lowest = int(slots.min())
        self._first = lowest if self._first is None else min(self._first, lowest)
        self._advance(int(slots.max()))
        for number in np.unique(slots[slots > self._newest - SLOTS]).tolist():
            self._put(number, np.flatnonzero(slots == number), draws, take)

    def covers(self, now: int) -> bool:
        """Whether events have been seen for as long as the window is, but for one slot."""
        return self._first is not None and self._first <= now // self._width - SLOTS + 1

    def sample(self, now: int) -> Sample:
        """The window that ends at ``now`` (us)."""
        self._advance(now // self._width)
        slots = [self._trimmed(self._slots[number]) for number in sorted(self._slots)]
        parts = [slot.rows for slot in slots] or [self._nothing()]
        weights = [np.full(slot.draws.size, slot.seen / max(slot.draws.size, 1)) for slot in slots]
        return Sample(
            np.concatenate([*weights, np.empty(0)]),
            np.concatenate([part.entities for part in parts]),
            np.concatenate([part.models for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.features for part in parts]),
            sum(slot.seen for slot in slots),
        )

    def _put(self, number: int, places: Ints, draws: Keys, take: Callable[[Ints], Taken]) -> None:
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = _Slot(0, np.empty(0, np.uint64), self._nothing())
        slot.seen += places.size
        if slot.draws.size >= self._keep:
            bound = np.partition(slot.draws, self._keep - 1)[self._keep - 1]
            places = places[draws[places] < bound]
        if not places.size:
            return
        if places.size > self._keep:
            places = places[np.argpartition(draws[places], self._keep - 1)[: self._keep]]
        taken = take(places)
        slot.draws = np.concatenate([slot.draws, draws[places]])
        slot.rows = slot.rows.joined(taken)
        if slot.draws.size > 2 * self._keep:
            self._trimmed(slot)

    def _trimmed(self, slot: _Slot) -> _Slot:
        if slot.draws.size > self._keep:
            kept = np.argpartition(slot.draws, self._keep - 1)[: self._keep]
            slot.draws = slot.draws[kept]
            slot.rows = slot.rows.at(kept)
        return slot

    def _nothing(self) -> Taken:
        return Taken(
            np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0), np.empty((0, self._features))
        )

    def _advance(self, newest: int) -> None:
        if newest <= self._newest:
            return
        self._newest = newest
        for number in [each for each in self._slots if each <= newest - SLOTS]:
            del self._slots[number]


def draws_of(partition: int, offsets: Ints) -> Keys:
    """A uniform number per place on Kafka (splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = offsets.astype(np.uint64) + np.uint64((partition + 1) << 40)
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))
