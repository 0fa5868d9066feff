"""Review capacity as arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.policy.capacity import TOLERANCE, Demand, Today, expected, is_off, least_margin, room_of

MARGINS = st.lists(st.floats(-20, 20).map(lambda m: round(m, 1)), max_size=60)  # ties are common
WEIGHTS = st.floats(0.01, 50)
ROOMS = st.floats(0, 1_000)


def demand_of(margins: list[float], weight: float, ruled: float = 0.0) -> Demand:
    return Demand(np.array(sorted(margins, reverse=True), np.float64), weight, ruled)


@given(MARGINS, WEIGHTS, ROOMS)
def test_the_reviews_fit_and_the_next_case_would_not(
    margins: list[float], weight: float, room: float
) -> None:
    demand = demand_of(margins, weight)
    least = least_margin(demand, room)
    assert expected(demand, least) <= room + 1e-6 * weight
    assert (least is None) == (len(margins) * weight <= room + 1e-9 * weight)
    if least is not None:
        next_case = max(m for m in margins if m < least)
        assert expected(demand, next_case) > room
        assert math.isfinite(least)


@given(MARGINS, WEIGHTS, ROOMS, st.one_of(st.none(), st.floats(-25, 25)))
def test_expected_counts_what_is_at_or_above_the_margin(
    margins: list[float], weight: float, room: float, margin: float | None
) -> None:
    above = sum(margin is None or m >= margin for m in margins)
    assert expected(demand_of(margins, weight), margin) == pytest.approx(above * weight)


@given(MARGINS, WEIGHTS, ROOMS, ROOMS)
def test_more_room_never_asks_for_fewer(margins: list[float], weight: float, one: float, two: float) -> None:
    demand, (less, more) = demand_of(margins, weight), sorted((one, two))
    assert expected(demand, least_margin(demand, less)) <= expected(demand, least_margin(demand, more))


@given(MARGINS, WEIGHTS, ROOMS)
def test_what_was_moved_is_not_off(margins: list[float], weight: float, room: float) -> None:
    demand = demand_of(margins, weight)
    assert not is_off(demand, room, least_margin(demand, room))


@given(st.integers(1, 400), st.integers(0, 400))
def test_a_margin_is_left_alone_within_the_tolerance(room: int, asked: int) -> None:
    demand = demand_of([float(i) for i in range(1_000)], 1.0)
    off = is_off(demand, float(room), 1_000.0 - asked)  # asks for exactly ``asked``
    assert off == (abs(asked - room) > max(TOLERANCE * room, 1.0))


@given(st.floats(0.1, 1e4), st.floats(0, 2e4), st.floats(0, 1), st.floats(0, 2e4))
def test_rules_come_first_and_a_day_is_never_overdrawn(
    capacity: float, waiting: float, left: float, ruled: float
) -> None:
    room = room_of(demand_of([], 1.0, ruled), Today(capacity, waiting, left))
    assert 0 <= room <= max(0.0, capacity - ruled)
    if waiting >= capacity:
        assert room == 0
    if left >= 1 / 24:
        assert room * left + waiting <= max(capacity, waiting) + 1e-6 * capacity


def test_a_queue_that_ran_ahead_of_the_day_slows_down_and_one_behind_does_not_hurry() -> None:
    nothing = demand_of([], 1.0)
    assert room_of(nothing, Today(100, 50, 0.5)) == 100
    assert room_of(nothing, Today(100, 80, 0.5)) == pytest.approx(40)
    assert room_of(nothing, Today(100, 0, 0.5)) == 100
    assert room_of(nothing, Today(100, 99, 0.001)) == pytest.approx(24)
