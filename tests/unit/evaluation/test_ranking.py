from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.support.labelled import labelled
from training.evaluation.ranking import average_precision, effective_sample_size, roc_auc
from training.gate.judgement import judge

ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(-5, 5), st.sampled_from([0.5, 1.0, 3.0, 50.0])),
    min_size=1,
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_agrees_with_scikit_learn_with_ties_and_weights(rows: list[tuple[bool, int, float]]) -> None:
    fraud = np.array([row[0] for row in rows])
    score, weight = np.array([row[1] for row in rows], float), np.array([row[2] for row in rows])
    if not fraud.any():
        assert math.isnan(average_precision(fraud, score, weight))
        return
    expected = average_precision_score(fraud, score, sample_weight=weight)
    assert average_precision(fraud, score, weight) == pytest.approx(expected)
    if fraud.all():
        assert math.isnan(roc_auc(fraud, score, weight))
        return
    assert roc_auc(fraud, score, weight) == pytest.approx(roc_auc_score(fraud, score, sample_weight=weight))


def test_nothing_has_no_precision() -> None:
    assert math.isnan(average_precision(np.array([], bool), np.array([])))


def test_lower_bounds_close_in_on_the_measure_as_frauds_become_more() -> None:
    random = np.random.default_rng(3)
    gaps = []
    for frauds in (10, 1_000):
        fraud = np.arange(frauds * 10) < frauds
        score = random.normal(size=len(fraud)) + 2 * fraud
        events = labelled(fraud, score[:, None])
        found = judge(events, score, 1)
        assert found == judge(events, score, 1)
        assert found.roc_auc_low < roc_auc(fraud, score)
        gaps.append(average_precision(fraud, score) - found.average_precision_low)
    assert 0 < gaps[1] < gaps[0] / 3


def test_effective_sample_size() -> None:
    assert effective_sample_size(np.ones(7)) == 7
    assert effective_sample_size(np.array([50.0, 0.0])) == 1
    assert effective_sample_size(np.array([])) == 0
