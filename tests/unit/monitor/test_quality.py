from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from streams.monitor.quality import BINS, NO_SCORE, Quality, average_precision, score_bins

_LABELLED = st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 1)), min_size=1, max_size=60)


@given(_LABELLED)
def test_average_precision_is_that_of_the_rounded_scores(pairs: list[tuple[float, int]]) -> None:
    scores, labels = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    bins = score_bins(scores)
    found = average_precision(
        np.bincount(bins[labels == 1], minlength=BINS), np.bincount(bins[labels == 0], minlength=BINS)
    )
    if labels.sum() == 0:
        assert found is None
    else:
        assert found == pytest.approx(average_precision_score(labels, bins), abs=1e-12)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=50))
def test_bins_keep_the_order_and_are_a_64th_wide(scores: list[float]) -> None:
    ordered = np.sort(np.array(scores))
    bins = score_bins(ordered)
    assert np.all(np.diff(bins) >= 0)
    inside = [p for p in scores if 1e-6 < p < 1 - 1e-6]
    for p in inside:
        lower = score_bins(np.array([p]))[0] / 64 - 16
        assert lower - 1e-9 <= math.log(p / (1 - p)) <= lower + 1 / 64 + 1e-9


def test_no_score_has_no_bin_and_certainty_has_one() -> None:
    assert score_bins(np.array([np.nan, 0.0, 1.0])).tolist() == [NO_SCORE, 0, BINS - 1]


_DECIDED = st.lists(
    st.tuples(st.sampled_from([-1, 0, 1]), st.booleans(), st.one_of(st.none(), st.floats(0.01, 0.99))),
    max_size=60,
)


@given(_DECIDED, st.integers(1, 8))
def test_counts_are_those_of_a_plain_loop(decided: list[tuple[int, bool, float | None]], weight: int) -> None:
    quality = Quality()
    half = len(decided) // 2
    for part in (decided[:half], decided[half:]):
        labels = np.array([label for label, _, _ in part], np.int64)
        stopped = np.array([stop for _, stop, _ in part], np.bool_)
        scores = np.array([math.nan if score is None else score for *_, score in part], np.float64)
        quality.add(labels, stopped, score_bins(scores), weight)
    status = quality.status()

    def count(label: int, stop: bool) -> int:
        return weight * sum(found == label and did == stop for found, did, _ in decided)

    hits, alarms, missed = count(1, True), count(0, True), count(1, False)
    assert status["true_positives"] == hits
    assert status["false_positives"] == alarms
    assert status["false_negatives"] == missed
    assert status["true_negatives"] == count(0, False)
    assert status["unlabelled"] == count(-1, True) + count(-1, False)
    assert status["precision"] == (pytest.approx(hits / (hits + alarms), abs=1e-6) if hits + alarms else None)
    assert status["recall"] == (pytest.approx(hits / (hits + missed), abs=1e-6) if hits + missed else None)
    assert status["scored"] == weight * sum(label != -1 and score is not None for label, _, score in decided)
