from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from streams.monitor.quality import BINS, NO_SCORE, Quality, average_precision, control_weights, score_bins

_LABELLED = st.lists(
    st.tuples(st.floats(0.0, 1.0), st.integers(0, 1), st.sampled_from([1.0, 12.5, 50.0])),
    min_size=1,
    max_size=60,
)


@given(_LABELLED)
def test_average_precision_is_that_of_the_rounded_scores(rows: list[tuple[float, int, float]]) -> None:
    scores, labels, weights = (np.array(column) for column in zip(*rows, strict=True))
    bins = score_bins(scores)
    in_bin = [
        np.bincount(bins[labels == of], weights[labels == of], BINS).astype(np.float64) for of in (0, 1)
    ]
    found = average_precision(in_bin[1], in_bin[0])
    if labels.sum() == 0:
        assert found is None
    else:
        assert found == pytest.approx(average_precision_score(labels, bins, sample_weight=weights), abs=1e-9)


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


def test_the_control_group_stands_for_what_was_stopped() -> None:
    stopped = np.array([True, True, True, False, True])
    through = np.array([True, True, False, True, True])
    propensity = np.array([0.1, 0.001, 0.1, 1.0, np.nan])
    assert control_weights(stopped, through, propensity).tolist() == [10.0, 50.0, 0.0, 1.0, 1.0]


def test_without_a_control_group_what_was_said_about_the_stopped_is_all_there_is() -> None:
    stopped, never = np.array([True]), np.array([0.0])
    assert control_weights(stopped, ~stopped, never).tolist() == [1.0]


_DECIDED = st.lists(
    st.tuples(
        st.sampled_from([-1, 0, 1]),
        st.booleans(),
        st.one_of(st.none(), st.floats(0.01, 0.99)),
        st.sampled_from([1.0, 50.0]),
    ),
    max_size=60,
)


@given(_DECIDED, st.integers(1, 8))
def test_counts_are_those_of_a_plain_loop(
    decided: list[tuple[int, bool, float | None, float]], sampled: int
) -> None:
    quality = Quality()
    half = len(decided) // 2
    for part in (decided[:half], decided[half:]):
        quality.add(
            np.array([label for label, *_ in part], np.int64),
            np.array([stop for _, stop, *_ in part], np.bool_),
            score_bins(
                np.array([math.nan if score is None else score for _, _, score, _ in part], np.float64)
            ),
            np.array([weight for *_, weight in part], np.float64),
            sampled,
        )
    status = quality.status()

    def weight(label: int, stop: bool) -> float:
        return sum(w for found, did, _, w in decided if found == label and did == stop)

    def count(label: int, stop: bool) -> int:
        return sampled * sum(found == label and did == stop for found, did, *_ in decided)

    assert status["true_positives"] == count(1, True)
    assert status["false_positives"] == count(0, True)
    assert status["false_negatives"] == count(1, False)
    assert status["true_negatives"] == count(0, False)
    assert status["unlabelled"] == count(-1, True) + count(-1, False)
    hits, alarms, missed = weight(1, True), weight(0, True), weight(1, False)
    assert status["precision"] == (pytest.approx(hits / (hits + alarms), abs=1e-6) if hits + alarms else None)
    assert status["recall"] == (pytest.approx(hits / (hits + missed), abs=1e-6) if hits + missed else None)
    assert status["scored"] == sampled * sum(
        label != -1 and score is not None for label, _, score, _ in decided
    )
