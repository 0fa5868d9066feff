"""Whether a distribution has moved: the index, the test, and what samples are worth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, false_discovery_control

from streams.distribution import (
    adjusted,
    cell_shares,
    cells_of,
    chance_of_difference,
    chi_square_tail,
    effective_size,
    stability_index,
)

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("freedom", range(1, 25))
def test_the_tail_is_that_of_the_chi_square_distribution(freedom: int) -> None:
    for statistic in (0.0, 0.01, 1.0, 7.5, 40.0, 300.0):
        assert chi_square_tail(statistic, freedom) == pytest.approx(chi2.sf(statistic, freedom), rel=1e-9)
    assert chi_square_tail(1e9, freedom) == 0.0


def test_many_tests_at_once_are_adjusted_as_benjamini_and_hochberg_do() -> None:
    chances = RANDOM.random(40) ** 3
    assert adjusted(chances.tolist()) == pytest.approx(false_discovery_control(chances))
    assert adjusted([]) == []


def test_a_shift_is_measured_as_it_is_by_hand() -> None:
    before, after = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.3, 0.4])
    by_hand = -0.2 * np.log(0.3 / 0.5) + 0.2 * np.log(0.4 / 0.2)
    assert stability_index(before, after, 1_000) == pytest.approx(by_hand)
    assert np.isfinite(stability_index([0.5, 0.5, 0.0], np.array([0.0, 0.5, 0.5]), 100))


def test_cells_hold_what_is_up_to_their_edge() -> None:
    shares = cell_shares([1.0, 2.0], np.array([0.0, 1.0, 1.5, 9.0]), np.array([1.0, 1.0, 1.0, 3.0]))
    assert shares.tolist() == pytest.approx([2 / 6, 1 / 6, 3 / 6])


def test_equal_shares_are_chance_and_others_are_not() -> None:
    even = [0.25] * 4
    assert chance_of_difference(even, 1_000, even, 1_000) == pytest.approx(1.0)
    assert chance_of_difference(even, 1_000, [0.4, 0.2, 0.2, 0.2], 1_000) < 1e-9
    assert chance_of_difference(even, 1_000, [0.4, 0.2, 0.2, 0.2], 12) > 0.1
    assert chance_of_difference(even, 0.0, even, 1_000) == 1.0
    assert chance_of_difference([1.0], 1_000, [1.0], 1_000) == 1.0


def test_cells_that_hardly_anything_falls_into_do_not_decide() -> None:
    before, after = [0.9, 0.0999, 0.0001], [0.9, 0.0959, 0.0041]
    assert chance_of_difference(before, 1e6, after, 240) > 0.5  # one event in a cell that expects none


def test_independent_events_are_worth_themselves_and_copies_are_worth_one() -> None:
    cells = RANDOM.integers(0, 8, 4_000)
    even = np.ones(4_000)
    assert effective_size(cells, even, np.arange(4_000)) == pytest.approx(4_000)
    assert effective_size(cells, even, RANDOM.integers(0, 50, 4_000)) > 3_000
    alike = np.repeat(RANDOM.integers(0, 8, 40), 100)
    assert effective_size(alike, even, np.repeat(np.arange(40), 100)) == pytest.approx(40, rel=0.01)
    assert effective_size(cells, even, np.zeros(4_000, np.int64)) == pytest.approx(1.0)
    assert effective_size(cells, np.zeros(4_000), np.arange(4_000)) == 0.0
    heavy = np.where(np.arange(4_000) < 10, 1_000.0, 1.0)
    assert effective_size(cells, heavy, np.arange(4_000)) < 25


def test_events_of_one_customer_do_not_make_a_difference_significant() -> None:
    """The same distribution, by customers that each have a level of their own: the plain test is misled."""
    rejected = {"plain": 0, "effective": 0}
    edges = np.quantile(RANDOM.normal(0, np.sqrt(2), 20_000), np.linspace(0.1, 0.9, 9))
    for _ in range(200):
        sides = [_clustered(edges, customers=60, events=40) for _ in range(2)]
        shares = [np.bincount(cells, minlength=10) / len(cells) for cells, _ in sides]
        worth = [effective_size(cells, np.ones(len(cells)), of) for cells, of in sides]
        plain = chance_of_difference(shares[0], len(sides[0][0]), shares[1], len(sides[1][0]))
        rejected["plain"] += plain < 0.05
        rejected["effective"] += chance_of_difference(shares[0], worth[0], shares[1], worth[1]) < 0.05
    assert rejected["plain"] > 100
    assert rejected["effective"] < 30


def _clustered(
    edges: np.ndarray[tuple[int], np.dtype[np.float64]], customers: int, events: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    customer = np.repeat(np.arange(customers), events)
    level = RANDOM.normal(0, 1, customers)[customer]
    return cells_of(edges, level + RANDOM.normal(0, 1, len(customer))), customer
