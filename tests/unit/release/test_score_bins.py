"""Scores held against those that were judged."""

from __future__ import annotations

import numpy as np
import pytest

from training.score_bins import bins_of, shift

RANDOM = np.random.default_rng(3)
JUDGED = RANDOM.beta(0.3, 9, 20_000)
EVEN = np.ones(len(JUDGED))


def test_the_same_scores_have_not_moved_and_others_have() -> None:
    bins = bins_of(JUDGED, EVEN)
    assert bins is not None
    assert sum(bins.shares) == pytest.approx(1.0)
    assert shift(bins, JUDGED) == pytest.approx(0.0, abs=1e-12)
    assert shift(bins, RANDOM.beta(0.3, 9, 500)) < 0.1
    assert shift(bins, RANDOM.beta(0.3, 9, 500) * 3) > 0.2
    assert shift(bins, np.full(500, 0.5)) > 3


def test_weights_count_and_scores_that_many_share_do_not_look_like_a_shift() -> None:
    tied = np.repeat([0.01, 0.02, 0.9], [700, 280, 20])
    bins = bins_of(tied, np.ones(1_000))
    assert bins is not None
    assert shift(bins, tied) == pytest.approx(0.0, abs=1e-12)
    assert shift(bins, np.repeat([0.01, 0.02], [140, 60])) < 0.2
    heavy = bins_of(np.array([0.1, 0.9]), np.array([3.0, 1.0]))
    assert heavy is not None
    assert shift(heavy, np.repeat([0.1, 0.9], [300, 100])) == pytest.approx(0.0, abs=1e-12)


def test_without_scores_there_is_nothing_to_hold_against() -> None:
    assert bins_of(np.empty(0), np.empty(0)) is None
