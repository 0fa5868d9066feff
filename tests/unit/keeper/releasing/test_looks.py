"""A shadow that is as good as what acts, asked again and again, is seldom found worse."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from training.keeper.release.looks import MOST, confidence_of_each, events_until, frauds_at_last_look


@pytest.mark.parametrize(
    ("frauds", "look"), [(0, 0), (19, 0), (20, 20), (39, 20), (40, 40), (319, 160), (320, 320), (9_999, 320)]
)
def test_looks_are_at_set_counts_of_frauds(frauds: int, look: int) -> None:
    assert frauds_at_last_look(frauds, 20) == look


def test_a_look_is_on_the_events_up_to_its_fraud_however_many_came_since() -> None:
    time = np.array([5, 1, 3, 2, 4])
    pairs = pa.table({"event_time": time, "fraud": time % 2 == 1})
    assert events_until(pairs, 2)["event_time"].to_pylist() == [1, 2, 3]
    assert events_until(pairs, 3)["event_time"].to_pylist() == [1, 2, 3, 4, 5]
    assert events_until(pairs.slice(1), 2)["event_time"].to_pylist() == [1, 2, 3]


def test_all_looks_together_are_wrong_no_more_often_than_was_declared() -> None:
    """A test of the mean of noise at every look; each look by itself errs as often as it may."""
    random = np.random.default_rng(1)
    looks = [20 << number for number in range(MOST)]
    sums = np.cumsum(random.normal(size=(20_000, looks[-1])), axis=1)
    z = np.stack([sums[:, look - 1] / np.sqrt(look) for look in looks], axis=1)

    def ever_below(confidence: float) -> float:
        limit = np.quantile(random.normal(size=2_000_000), (1 - confidence) / 2)
        return float(np.mean((z < limit).any(axis=1)))

    assert ever_below(confidence_of_each(0.95)) < 0.025
    assert ever_below(0.95) > 0.05
