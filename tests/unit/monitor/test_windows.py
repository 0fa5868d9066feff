from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.monitor.latency import EDGES, Latency
from streams.monitor.rates import Rates
from streams.monitor.ring import Ring

_MINUTE = 60_000_000
_SECOND = 1_000_000

_BATCHES = st.lists(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2)), min_size=1, max_size=8), max_size=20
)


@given(_BATCHES, st.integers(0, 400))
def test_a_ring_counts_what_a_list_would(batches: list[list[tuple[int, int]]], later: int) -> None:
    """Whole slots: what is in the window of the newest slot seen so far, and stays in that of the end."""
    ring, kept, newest = Ring(_MINUTE, 3), [], -1
    for batch in batches:
        times = np.array([second for second, _ in batch]) * _SECOND
        ring.add(times, np.array([which for _, which in batch]))
        newest = max(newest, *(second for second, _ in batch))
        kept += [(second, which) for second, which in batch if second > newest - 60]
    newest = max(newest, later)
    expected = [
        sum(second > newest - 60 and which == wanted for second, which in kept) for wanted in range(3)
    ]
    assert ring.total(later * _SECOND).tolist() == expected


def test_rates_are_per_second_of_the_window_or_of_what_there_was() -> None:
    rates = Rates(_MINUTE, ("approve", "decline"))
    assert rates.per_second() == {"approve": 0.0, "decline": 0.0}
    rates.add(np.array([0, 5, 10]) * _SECOND, np.array([0, 0, 1]))
    assert rates.per_second() == {"approve": 0.2, "decline": 0.1}
    assert rates.per_second(20 * _SECOND) == {"approve": 0.1, "decline": 0.05}
    assert rates.per_second(500 * _SECOND) == {"approve": 0.0, "decline": 0.0}


@given(st.lists(st.integers(0, 600_000), min_size=1, max_size=200))
def test_percentiles_are_within_a_bucket_of_the_sorted_list(milliseconds: list[int]) -> None:
    latency = Latency()
    latency.add(np.zeros(len(milliseconds), np.int64), np.array(milliseconds, np.float64))
    found = latency.status(0)["total"]
    assert found["count"] == len(milliseconds)
    for name, share in {"p50": 0.5, "p99": 0.99, "p999": 0.999}.items():
        exact = np.sort(milliseconds)[int(np.ceil(share * len(milliseconds))) - 1]
        assert exact - 1e-3 <= found[name] <= exact * 1.05 + 1e-3


def test_small_latencies_are_exact_and_odd_ones_are_kept_in_range() -> None:
    latency = Latency()
    latency.add(np.full(4, _MINUTE), np.array([-5.0, 3.0, 7.0, 1e12]))
    total = latency.status(_MINUTE)["total"]
    assert total["p50"] == 3.0
    assert total["p999"] == pytest.approx(EDGES[-1])


def test_the_last_minute_forgets_and_the_total_does_not() -> None:
    latency = Latency()
    latency.add(np.array([0]), np.array([4.0]))
    status = latency.status(2 * _MINUTE)
    assert status["last_minute"] == {"count": 0, "p50": None, "p99": None, "p999": None}
    assert status["total"]["count"] == 1
