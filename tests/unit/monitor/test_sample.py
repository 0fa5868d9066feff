"""The sample of the newest events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from streams.monitor.sample import SLOTS, Recent, Taken, draws_of

if TYPE_CHECKING:
    from streams.monitor.arrays import Ints

HOUR = 3_600_000_000
WINDOW = 24 * HOUR


def _add(recent: Recent, times: Ints, partition: int, first: int) -> None:
    draws = draws_of(partition, np.arange(first, first + times.size))

    def take(places: Ints) -> Taken:
        return Taken(
            (first + places).astype(np.uint64),
            np.zeros(places.size, np.int64),
            np.full(places.size, 0.5),
            np.column_stack([times[places] / HOUR, first + places]),
        )

    recent.add(times, draws, take)


def test_what_is_kept_stands_for_all_and_keeps_the_rhythm_of_the_day() -> None:
    recent = Recent(WINDOW, 2)
    busy, quiet = np.full(20_000, 30 * HOUR), np.full(300, 40 * HOUR)
    _add(recent, busy, 0, 0)
    _add(recent, quiet, 0, 20_000)
    sample = recent.sample(40 * HOUR)
    assert sample.events == 20_300
    assert sample.weights.sum() == pytest.approx(20_300)
    assert len(sample.weights) < 2_000
    early = sample.features[:, 0] == 30
    assert sample.weights[early].sum() == pytest.approx(20_000)
    assert np.all(sample.weights[~early] == 1.0)


def test_the_order_of_partitions_and_batches_makes_no_difference() -> None:
    times = np.sort(np.random.default_rng(1).integers(20 * HOUR, 44 * HOUR, 30_000))
    one, other = Recent(WINDOW, 2), Recent(WINDOW, 2)
    for partition in (0, 1):
        _add(one, times, partition, 0)
    for begin in range(0, 30_000, 1_000):
        for partition in (1, 0):
            _add(other, times[begin : begin + 1_000], partition, begin)
    first, second = one.sample(44 * HOUR), other.sample(44 * HOUR)
    assert first.events == second.events
    assert sorted(first.entities.tolist()) == sorted(second.entities.tolist())


def test_what_is_older_than_the_window_is_gone_and_a_short_past_is_no_window() -> None:
    recent = Recent(WINDOW, 2)
    assert not recent.covers(0)
    _add(recent, np.array([10 * HOUR]), 0, 0)
    assert not recent.covers(20 * HOUR)
    _add(recent, np.array([40 * HOUR, 11 * HOUR]), 0, 1)
    assert recent.covers(40 * HOUR)
    assert recent.sample(40 * HOUR).events == 1
    assert recent.sample(40 * HOUR + SLOTS * HOUR).events == 0
