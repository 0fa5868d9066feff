from __future__ import annotations

import numpy as np
import pytest

from training.fitting.calibration import calibrated, platt


def test_finds_the_slope_and_intercept_that_made_the_labels() -> None:
    random = np.random.default_rng(5)
    margin = random.normal(-1.0, 2.0, 60_000)
    fraud = random.random(60_000) < 1 / (1 + np.exp(-(0.7 * margin - 2.0)))
    found = platt(margin, fraud, np.ones(60_000))
    assert found.slope == pytest.approx(0.7, abs=0.03)
    assert found.intercept == pytest.approx(-2.0, abs=0.05)


def test_a_weight_counts_as_that_many_events() -> None:
    random = np.random.default_rng(5)
    margin = random.normal(size=400)
    fraud = random.random(400) < 1 / (1 + np.exp(2 - margin))
    weight = random.integers(1, 6, 400)
    weighted = platt(margin, fraud, weight.astype(float))
    times = np.repeat(np.arange(400), weight)
    repeated = platt(margin[times], fraud[times], np.ones(len(times)))
    assert weighted.slope == pytest.approx(repeated.slope, rel=1e-6)
    assert weighted.intercept == pytest.approx(repeated.intercept, rel=1e-6)


def test_expects_as_many_frauds_as_there_were() -> None:
    random = np.random.default_rng(5)
    fraud = random.random(5_000) < 0.05
    margin = random.normal(size=5_000) * 8 + 10 * fraud
    scores = calibrated(margin, platt(margin, fraud, np.ones(5_000)))
    assert scores.sum() == pytest.approx(fraud.sum(), rel=0.01)


def test_a_perfect_margin_keeps_a_finite_slope() -> None:
    fraud = np.arange(100) >= 90
    found = platt(np.where(fraud, 3.0, -3.0), fraud, np.ones(100))
    assert 0 < found.slope < 10


@pytest.mark.parametrize("sign", [-1.0, 0.0])
def test_a_margin_that_says_nothing_keeps_its_order_and_the_share_of_fraud(sign: float) -> None:
    fraud = np.arange(1_000) < 100
    margin = sign * fraud.astype(float)
    found = platt(margin, fraud, np.ones(1_000))
    assert found.slope > 0
    assert calibrated(margin, found) == pytest.approx(np.full(1_000, 0.1), abs=0.002)
