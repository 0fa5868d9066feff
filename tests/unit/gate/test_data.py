"""What the gate asks of labels and features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_store.declaration.gate import LabelChecks
from streams.messages import ArtifactInfo, Calibration, Manifest
from tests.support.labelled import labelled
from training.dataset.split import Split
from training.gate.features import features_there
from training.gate.judgement import Judgement, judge
from training.gate.labels import as_the_champion_knew, plausible_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.contract import Check
    from training.dataset.events import LabelledEvents

HOUR = 3_600_000_000
ROWS = 4_000


def judged_by(fraud: NDArray[np.bool_], margin: NDArray[np.float64]) -> Judgement:
    events = labelled(fraud, margin[:, None], entity=np.arange(len(fraud)) % 500)
    return judge(events, margin, seed=1)


def manifest(average_precision: float = 0.8, prevalence: float = 0.02, frauds: float = 80) -> Manifest:
    metrics = {"average_precision": average_precision, "prevalence": prevalence, "frauds": frauds}
    then = "2026-01-01T00:00:00Z"
    return Manifest(
        "v1",
        "payments",
        "lightgbm",
        [],
        ArtifactInfo.of(b"x"),
        Calibration(),
        then,
        then,
        then,
        metrics,
        1,
        1,
    )


def doubts(found: Judgement, released: Manifest | None = None, **limits: float | None) -> list[str]:
    spec = LabelChecks(**limits)
    checks = plausible_share(found, spec)
    checks += as_the_champion_knew(found, found, released or manifest(), spec)
    return [check.said for check in checks if not check.passed]


@pytest.fixture
def fraud() -> NDArray[np.bool_]:
    return np.random.default_rng(3).random(ROWS) < 0.02


@pytest.fixture
def margin(fraud: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.random.default_rng(4).normal(0.0, 1.0, ROWS) + 4.0 * fraud


def test_true_labels_are_not_doubted(fraud: NDArray[np.bool_], margin: NDArray[np.float64]) -> None:
    assert doubts(judged_by(fraud, margin)) == []


def test_labels_turned_round_are_seen_by_their_share_and_by_the_champion(
    fraud: NDArray[np.bool_], margin: NDArray[np.float64]
) -> None:
    share, inverted, jump = doubts(judged_by(~fraud, margin))
    assert "97.9% of the judged events are called fraud" in share
    assert "the labels look turned round" in inverted
    assert "when the champion was judged" in jump


def test_as_many_frauds_elsewhere_are_seen_by_the_champion_alone(
    fraud: NDArray[np.bool_], margin: NDArray[np.float64]
) -> None:
    exchanged = np.isin(np.arange(ROWS), np.argsort(margin)[: fraud.sum()])
    inverted, collapsed = doubts(judged_by(exchanged, margin))
    assert "turned round" in inverted
    assert "--trust-data" in collapsed


def test_a_champion_that_faded_is_no_reason_to_doubt_the_labels(fraud: NDArray[np.bool_]) -> None:
    faded = np.random.default_rng(5).normal(0.0, 1.0, ROWS) + 1.8 * fraud
    found = judged_by(fraud, faded)
    assert found.average_precision < 0.5 * 0.8
    assert doubts(found) == []


def test_a_jump_must_be_beyond_luck(fraud: NDArray[np.bool_], margin: NDArray[np.float64]) -> None:
    found = judged_by(fraud, margin)
    assert doubts(found, manifest(prevalence=0.003, frauds=4)) == []
    assert len(doubts(found, manifest(prevalence=0.003, frauds=400))) == 1
    assert doubts(found, manifest(prevalence=0.003, frauds=400), jump=None) == []


def split_of(past: LabelledEvents, judged: LabelledEvents) -> Split:
    cut, end = 240 * HOUR, 264 * HOUR
    return Split(past, past.where(slice(0, 0)), judged, 0, cut, cut, end)


def hours(number: int, seed: int) -> LabelledEvents:
    """``number`` hours of 20 events: an amount, a rare flag, and one that is the same all day."""
    random = np.random.default_rng(seed)
    rows = number * 20
    time = np.arange(rows, dtype=np.int64) * HOUR // 20 + 1
    day = (time // (24 * HOUR)).astype(np.float64)
    features = np.asarray(
        np.column_stack((random.gamma(2.0, 30.0, rows).round(2), random.random(rows) < 0.01, day % 2)),
        np.float64,
    )
    return labelled(random.random(rows) < 0.02, features, time)


def gone(change: float | None, rows: slice = slice(None), feature: int = 0) -> list[Check]:
    past, judged = hours(240, 1), hours(24, 2)
    if change is not None:
        judged.features[rows, feature] = change
    judged = replace(judged, time=judged.time + 240 * HOUR)
    return [
        check
        for check in features_there(split_of(past, judged), ["amount", "rare", "day"])
        if not check.passed
    ]


def test_what_varies_as_ever_is_there_even_what_is_the_same_all_day() -> None:
    assert gone(None) == []


@pytest.mark.parametrize(("value", "said"), [(7.0, "amount is 7 in"), (np.nan, "amount is missing in")])
def test_a_feature_that_stands_still_is_gone(value: float, said: str) -> None:
    (check,) = gone(value)
    assert check.said.startswith(said)
    assert "--trust-data" in check.said, "what has really gone must not keep the gate shut for weeks"


def test_it_is_seen_where_it_went_in_the_middle() -> None:
    assert len(gone(7.0, slice(300, None))) == 1
    assert gone(7.0, slice(0, 100)) == []


def test_a_rare_flag_may_be_set_nowhere() -> None:
    assert gone(0.0, feature=1) == []
