"""What a gate stops has no outcome: with a control group its precision is known, without one it is not."""

from __future__ import annotations

import pytest

from benchmarks.selective_labels import ARMS, WORLDS, World, a_world, covered, judged, truth

WITH, _, WITHOUT = ARMS


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [a_world(seed) for seed in range(1, WORLDS + 1)]


def test_the_intervals_hold_the_truth_where_a_control_group_is_let_through(worlds: list[World]) -> None:
    true = truth()
    assert sum(covered(figure, true) for figure in judged(worlds, WITH)) >= 0.9 * WORLDS == 90


def test_and_not_where_only_analysts_tell_what_was_stopped(worlds: list[World]) -> None:
    true = truth()
    found = judged(worlds, WITHOUT)
    assert not any(covered(figure, true) for figure in found)
    assert all(figure.value is not None and figure.value > 2 * true for figure in found)
