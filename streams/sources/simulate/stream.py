"""The simulation as records in order of arrival: late ones, resent ones and broken ones among them."""

from __future__ import annotations

from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from streams.sources.simulate.days import days
from streams.sources.simulate.garbage import spoil
from streams.sources.simulate.scenario import DAY_US
from streams.sources.simulate.wording import Wording
from streams.sources.simulate.world import World
from streams.sources.timeline import Emission

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.sources.simulate.days import Day
    from streams.sources.simulate.payments import Ints
    from streams.sources.simulate.scenario import Scenario

_CHUNK = 4_096  # messages put into words at once
_ONE_WAY_MS = (5, 250)
_LATE_MS = (2_000, 900_000)
_RESENT_MS = (50, 30_000)
_ARRIVAL = itemgetter(0)


def simulate(scenario: Scenario) -> Iterator[Emission]:
    """Events and outcomes of ``scenario`` in order of arrival; the same bytes for the same scenario.

    Outcomes arrive when they were observed, so some come after the last event. Memory holds one day.
    """
    world = World(scenario)
    wording = Wording(scenario, world)
    held: list[Emission] = []  # a heap of what arrives later than all that has been emitted
    for day in days(scenario, world):
        for outcome in _outcomes(wording, day):
            heappush(held, outcome)
        next_day_us = scenario.start_us + (day.number + 1) * DAY_US
        for chunk in _events(scenario, wording, day):
            part = _hold_back(chunk, held, next_day_us)
            if part:
                due = _due(held, part[-1].arrival_us)
                yield from sorted([*part, *due], key=_ARRIVAL)
        yield from _due(held, next_day_us - 1)
    while held:
        yield heappop(held)


def _hold_back(chunk: list[Emission], held: list[Emission], next_day_us: int) -> list[Emission]:
    """The part of ``chunk`` that arrives today; the rest is held until tomorrow."""
    if chunk[-1].arrival_us < next_day_us:
        return chunk
    for emission in chunk:
        if emission.arrival_us >= next_day_us:
            heappush(held, emission)
    return [emission for emission in chunk if emission.arrival_us < next_day_us]


def _due(held: list[Emission], newest_us: int) -> list[Emission]:
    """Take out of ``held`` what has arrived by ``newest_us``, in order."""
    due = []
    while held and held[0].arrival_us <= newest_us:
        due.append(heappop(held))
    return due


def _outcomes(wording: Wording, day: Day) -> list[Emission]:
    arrivals = day.told.at.tolist()
    words = wording.outcomes(day.told, day.number)
    return [Emission(at, "outcomes", key, value) for at, (key, value) in zip(arrivals, words, strict=True)]


def _events(scenario: Scenario, wording: Wording, day: Day) -> Iterator[list[Emission]]:
    """The day's records for the events topic in order of arrival, in chunks."""
    row, arrival, ruin = _arrivals(scenario, day)
    for begin in range(0, len(row), _CHUNK):
        rows = row[begin : begin + _CHUNK]
        payments = day.payments.take(rows)
        values = wording.events(payments, day.number, rows)
        for broken in np.flatnonzero(ruin[begin : begin + _CHUNK] >= 0).tolist():
            values[broken] = spoil(values[broken], int(ruin[begin + broken]))
        arrivals = arrival[begin : begin + _CHUNK].tolist()
        yield [
            Emission(at, "events", key, value)
            for at, key, value in zip(arrivals, wording.keys(payments), values, strict=True)
        ]


def _arrivals(scenario: Scenario, day: Day) -> tuple[Ints, Ints, Ints]:
    """Per record its payment's row, when it arrives, and how it is broken (-1: it is not), by arrival."""
    rng, count = day.rng, len(day.payments)
    late = rng.random(count) < scenario.late_share
    delay = np.where(late, rng.integers(*_LATE_MS, count), rng.integers(*_ONE_WAY_MS, count))
    arrival = day.payments.at + delay * 1_000
    resent = np.flatnonzero(rng.random(count) < scenario.duplicate_share)
    again = arrival[resent] + rng.integers(*_RESENT_MS, len(resent)) * 1_000
    spoilt = np.flatnonzero(rng.random(count) < scenario.garbage_share)
    row = np.concatenate([np.arange(count), resent, spoilt])
    at = np.concatenate([arrival, again, arrival[spoilt]])
    ruin = np.concatenate([np.full(count + len(resent), -1), rng.integers(0, 1 << 16, len(spoilt))])
    order = np.argsort(at, kind="stable")
    return row[order], at[order], ruin[order]
