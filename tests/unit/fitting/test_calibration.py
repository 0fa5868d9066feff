from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.messages import Calibration, Knot
from streams.models.calibration import log_odds_of, margins_of, scores_of, unsound
from tests.support.labelled import labelled
from training.fitting.calibration import beta, platt
from training.fitting.calibration_choice import choose_calibration
from training.fitting.isotonic import isotonic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.dataset.events import LabelledEvents


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
    scores = scores_of(margin, platt(margin, fraud, np.ones(5_000)))
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
    assert scores_of(margin, found) == pytest.approx(np.full(1_000, 0.1), abs=0.002)


def bent(rows: int = 40_000) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Margins whose log-odds rise three times as fast above zero as below."""
    random = np.random.default_rng(3)
    margin = random.normal(-1.0, 2.5, rows)
    log_odds = np.where(margin > 0, 1.5 * margin, 0.5 * margin) - 1.5
    return margin, random.random(rows) < 1 / (1 + np.exp(-log_odds))


def events(margin: NDArray[np.float64], fraud: NDArray[np.bool_]) -> LabelledEvents:
    return labelled(fraud, margin[:, None], entity=np.arange(len(fraud)) // 3)


def test_beta_finds_two_slopes() -> None:
    margin, fraud = bent()
    found = beta(margin, fraud, np.ones(len(margin)))
    assert found.slope_below is not None
    assert found.slope > 1.5 * found.slope_below > 0
    assert unsound(found) is None


@pytest.mark.parametrize("fitter", [platt, beta, isotonic])
def test_as_many_frauds_are_expected_as_there_were(fitter: Any) -> None:
    margin, fraud = bent()
    weight = np.random.default_rng(1).uniform(0.5, 20, len(margin))
    scores = scores_of(margin, fitter(margin, fraud, weight))
    assert weight @ scores == pytest.approx(weight @ fraud, rel=0.01)


def test_isotonic_follows_what_no_line_does() -> None:
    random = np.random.default_rng(4)
    margin = random.uniform(-3, 3, 60_000)
    truth = np.select([margin < -1, margin < 1], [0.01, 0.2], 0.9)
    scores = scores_of(margin, isotonic(margin, random.random(60_000) < truth, np.ones(60_000)))
    away = np.minimum(abs(margin + 1), abs(margin - 1)) > 0.25
    assert np.mean(np.abs(scores - truth)[away]) < 0.02


APART = 2.0**-20
MARGINS = st.lists(st.integers(-(2**25), 2**25), min_size=2, max_size=50, unique=True)


@settings(max_examples=60, deadline=None)
@given(MARGINS, st.integers(0, 2**32 - 1), st.sampled_from([platt, beta, isotonic]))
def test_the_order_of_margins_is_the_order_of_scores_and_nothing_ties(
    asked: list[int], seed: int, fitter: Any
) -> None:
    """Any labels, any margins between -32 and 32 that are at least a millionth apart."""
    random = np.random.default_rng(seed)
    margin = random.normal(-2, random.uniform(0.2, 3), 400).astype(np.float32).astype(np.float64)
    fraud = random.random(400) < 1 / (1 + np.exp(-margin * random.normal(1, 1) + 1))
    fraud[:2] = [True, False]
    calibration = fitter(margin, fraud, random.uniform(0.1, 5, 400))
    assert unsound(calibration) is None
    assert np.all(np.diff(log_odds_of(np.sort(asked) * APART, calibration)) > 0)
    scores = scores_of(np.sort(margin), calibration)
    assert np.array_equal(np.diff(scores) > 0, np.diff(np.sort(margin)) > 0)


@pytest.mark.parametrize("fitter", [platt, beta, isotonic])
def test_margins_come_back_from_scores(fitter: Any) -> None:
    margin, fraud = bent(4_000)
    calibration = fitter(margin, fraud, np.ones(4_000))
    some = np.linspace(-8, 8, 33)
    assert margins_of(scores_of(some, calibration), calibration) == pytest.approx(some, abs=1e-6)


def test_the_choice_is_made_by_the_data() -> None:
    margin, fraud = bent()
    chosen = choose_calibration(margin, events(margin, fraud), "auto")
    assert chosen.kind != "platt"
    losses = [chosen.metrics[f"calibration_log_loss_{kind}"] for kind in (chosen.kind, "platt")]
    assert losses[0] < losses[1]
    straight = np.random.default_rng(2).random(len(margin)) < 1 / (1 + np.exp(2 - 0.8 * margin))
    assert choose_calibration(margin, events(margin, straight), "auto").kind == "platt"
    assert choose_calibration(margin, events(margin, straight), "isotonic").kind == "isotonic"


def test_reliability_is_told_by_events_that_were_not_fitted_on() -> None:
    margin, fraud = bent(5_000)
    noise = np.random.default_rng(0).permutation(fraud)
    metrics = choose_calibration(margin, events(margin, fraud), "beta").metrics
    assert metrics["calibration_error"] < 0.02
    assert metrics["reliability_9_true"] == pytest.approx(metrics["reliability_9_said"], abs=0.1)
    assert set(choose_calibration(margin, events(margin, noise), "platt").metrics) == {
        name.replace("beta", "platt") for name in metrics
    }


def test_with_few_frauds_there_is_nothing_to_choose_by() -> None:
    margin, fraud = bent(60)
    assert choose_calibration(margin, events(margin, fraud), "auto").kind == "platt"
    one = np.arange(60) == 3
    assert choose_calibration(margin, events(margin, one), "beta").metrics == {}


@pytest.mark.parametrize(
    ("calibration", "word"),
    [
        (Calibration(0.0), "slope"),
        (Calibration(1.0, slope_below=-1.0), "slope"),
        (Calibration(float("nan")), "finite"),
        (Calibration(1.0, knots=[Knot(0, 0), Knot(1, 0)]), "do not rise"),
        (Calibration(1.0, knots=[Knot(0, 0), Knot(0, 1)]), "do not rise"),
    ],
)
def test_a_calibration_that_loses_the_order_is_refused(calibration: Calibration, word: str) -> None:
    assert word in (unsound(calibration) or "")


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(slope=5e-324),
        Calibration(slope_below=5e-324),
        Calibration(knots=[Knot(0.0, 0.0), Knot(5e-324, 1.0)]),
        Calibration(knots=[Knot(0.0, 0.0), Knot(1.0, 5e-324)]),
        Calibration(knots=[Knot(-1e308, 0.0), Knot(1e308, 1.0)]),
    ],
)
def test_numbers_that_double_precision_cannot_follow_are_refused(calibration: Calibration) -> None:
    """At a knot of such a line there would be no score at all."""
    assert unsound(calibration) is not None
