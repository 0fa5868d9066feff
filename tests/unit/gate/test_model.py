"""What the gate asks of the challenger: ranking, scores, cost, and its refit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from feature_store.declaration.gate import AgreementChecks, CostChecks, GateSpec
from tests.support.labelled import labelled
from tests.support.training_snapshots import declare
from training.gate.agreement import agree, correlated
from training.gate.champion import ChampionSide
from training.gate.chance import better_than_chance
from training.gate.comparison import compare
from training.gate.cost import affordable
from training.gate.judgement import judge
from training.gate.scores import calibrated, shift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.contract import Check
    from training.dataset.events import LabelledEvents

ROWS = 6_000


def world(share: float = 0.02, seed: int = 1) -> LabelledEvents:
    random = np.random.default_rng(seed)
    fraud = random.random(ROWS) < share
    return labelled(fraud, np.empty((ROWS, 0)), entity=np.arange(ROWS) % 800)


def margin_of(events: LabelledEvents, strength: float, seed: int = 2) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0.0, 1.0, len(events)) + strength * events.fraud


def refusals(
    events: LabelledEvents, ours: NDArray[np.float64], theirs: NDArray[np.float64], **gate: Any
) -> list[str]:
    side = ChampionSide("v0", "artifact", np.ones(len(events), np.bool_), theirs)
    checks, _ = compare(events, ours, side, declare(gate=gate).training)
    return [check.name for check in checks if not check.passed]


def test_only_what_is_surely_worse_is_refused_as_worse() -> None:
    events = world()
    strong, weak = margin_of(events, 4.0), margin_of(events, 2.0)
    assert refusals(events, strong, weak, widest_interval=None) == []
    assert refusals(events, weak, strong, widest_interval=None) == ["worse_than_champion"]
    nearly = strong + np.random.default_rng(9).normal(0.0, 0.05, len(events))
    assert refusals(events, nearly, strong) == []


def test_too_few_frauds_to_tell_two_models_apart_give_no_verdict() -> None:
    events = world(share=0.004)
    assert events.frauds >= 20
    ours, theirs = margin_of(events, 2.5, seed=3), margin_of(events, 2.5, seed=4)
    assert refusals(events, ours, theirs, widest_interval=0.1) == ["no_verdict"]
    assert refusals(events, ours, theirs, widest_interval=None) == []


def test_too_few_frauds_that_the_champion_may_be_judged_on_give_no_verdict() -> None:
    events = world()
    later = np.arange(len(events)) >= len(events) - 100
    side = ChampionSide("v0", "later", later, margin_of(events, 3.0)[later])
    (check,), numbers = compare(events, margin_of(events, 3.0), side, declare().training)
    assert not check.passed
    assert "training.judged" in check.said
    assert numbers["compared_frauds"] < 10


def test_noise_is_no_better_than_chance_and_a_signal_is() -> None:
    events = world()

    def failed(strength: float) -> list[Check]:
        checks = better_than_chance(judge(events, margin_of(events, strength), 1), "here")
        return [check for check in checks if not check.passed]

    assert failed(0.0)
    assert failed(3.0) == []


@pytest.mark.parametrize(("factor", "passed"), [(0.9, True), (2.5, True), (6.0, False), (0.1, False)])
def test_scores_must_promise_as_much_fraud_as_there_is(factor: float, passed: bool) -> None:
    events = world()
    score = np.full(len(events), factor * events.frauds / len(events))
    (check,), ratio = calibrated(events, score, GateSpec())
    assert ratio == pytest.approx(factor)
    assert check.passed == passed


def test_a_score_of_nothing_is_miscalibrated() -> None:
    (check,), _ = calibrated(world(), np.zeros(ROWS), GateSpec())
    assert not check.passed


def test_shift_is_nothing_between_halves_and_much_where_scores_moved() -> None:
    score = np.random.default_rng(1).beta(1, 30, 8_000)
    assert shift(score[:4_000], score[4_000:]) < 0.02
    assert shift(score[:4_000], score[4_000:] * 3) > 0.5
    assert np.isfinite(shift(np.zeros(10), np.ones(10)))


def test_cost_is_refused_by_count_and_by_time_where_it_is_asked() -> None:
    cost = {"bytes": 1_000.0, "steps": 60_000.0, "us_per_event_1000": 40.0}
    assert [check.said.split(",")[0] for check in affordable(cost, CostChecks()) if not check.passed] == [
        "60"
    ]
    strict = CostChecks(steps=None, bytes=999, us_per_event=39.0)
    assert [check.passed for check in affordable(cost, strict)] == [False, False]
    assert all(check.passed for check in affordable({"bytes": 1.0, "us_per_event_1000": 9.0}, CostChecks()))


def test_a_refit_must_say_what_was_judged() -> None:
    score = np.random.default_rng(1).beta(1, 30, 5_000)

    def refused(refit: NDArray[np.float64]) -> list[str]:
        return [check.said for check in agree(score, refit, AgreementChecks())[0] if not check.passed]

    assert refused(1.3 * score) == []
    (moved,) = refused(score + 0.05)
    assert "agreement.difference" in moved
    assert any(
        "agreement.correlation" in said for said in refused(np.random.default_rng(2).permutation(score))
    )
    assert (correlated(np.ones(3), np.ones(3)), correlated(np.ones(3), score[:3])) == (1.0, 0.0)
