"""Every measure, held to scikit-learn or to one event at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from feature_store.declaration.decision import Costs
from training.evaluation.cards import DAY, card_precision
from training.evaluation.measure import FALSE_POSITIVE_RATES, measure
from training.evaluation.measured import Figure, Measured
from training.evaluation.ranking import Ranking
from training.evaluation.scored import Scored
from training.evaluation.segments import LARGEST, REST, by_label, deciles

if TYPE_CHECKING:
    from streams.policies.actions import Strengths

COSTS = Costs(amount="amount", missed_fraud=10, missed_fraud_share=0.5, review=5, false_decline=20)


def events(rows: int = 3_000, seed: int = 1) -> Scored:
    """Payments of ``rows`` / 10 cards on three days, some standing for many, with many equal scores."""
    random = np.random.default_rng(seed)
    fraud = random.random(rows) < 0.1
    margin = np.round(random.normal(size=rows) + 2 * fraud - 3, 1)
    return Scored(
        fraud=fraud,
        score=1 / (1 + np.exp(-margin)),
        weight=random.choice([1.0, 1.0, 7.5], rows),
        entity=random.integers(0, rows // 10, rows) * 3,
        time=random.integers(0, 3 * DAY, rows),
        amount=np.where(random.random(rows) < 0.05, np.nan, random.gamma(2.0, 60.0, rows)),
    )


def actions_by_hand(scored: Scored) -> Strengths:
    """One event at a time: what each action costs at its score."""
    found = []
    for score, amount in zip(scored.score.tolist(), scored.amount.tolist(), strict=True):
        missed = (0.0 if np.isnan(amount) else amount) * 0.5 + 10
        found.append(int(np.argmin([score * missed, 5, (1 - score) * 20])))
    return np.array(found, np.int8)


def test_the_operating_point_is_that_of_the_least_expected_cost() -> None:
    scored = events()
    found = measure(scored, COSTS, resamples=0).overall
    actions = actions_by_hand(scored)
    assert set(actions.tolist()) == {0, 1, 2}
    stopped = actions > 0
    by_hand = {
        name: measured(scored.fraud, stopped, sample_weight=scored.weight)
        for name, measured in (
            ("precision", metrics.precision_score),
            ("recall", metrics.recall_score),
            ("f1", metrics.f1_score),
            ("accuracy", metrics.accuracy_score),
        )
    }
    by_hand["brier"] = metrics.brier_score_loss(scored.fraud, scored.score, sample_weight=scored.weight)
    by_hand["roc_auc"] = metrics.roc_auc_score(scored.fraud, scored.score, sample_weight=scored.weight)
    by_hand["average_precision"] = metrics.average_precision_score(
        scored.fraud, scored.score, sample_weight=scored.weight
    )
    assert {name: getattr(found, name).value for name in by_hand} == pytest.approx(by_hand)


def test_money_is_what_each_event_cost() -> None:
    scored = events()
    missed = reviews = declines = approving_all = 0.0
    for i, action in enumerate(actions_by_hand(scored).tolist()):
        weight, fraud = scored.weight[i], scored.fraud[i]
        loss = weight * fraud * (10 + 0.5 * np.nan_to_num(scored.amount[i]))
        approving_all += loss
        missed += loss if action == 0 else 0
        reviews += weight * 5 if action == 1 else 0
        declines += weight * 20 if action == 2 and not fraud else 0
    money = measure(scored, COSTS, resamples=0).overall.money
    lost = missed + reviews + declines
    found = {name: getattr(money, name).value for name in money.__struct_fields__}
    assert found == pytest.approx(
        {
            "missed": missed,
            "reviews": reviews,
            "false_declines": declines,
            "lost": lost,
            "approving_all": approving_all,
            "saved": approving_all - lost,
        }
    )


ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, 3.0, 50.0]), st.integers(0, 2)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100)
@given(ROWS, st.sampled_from([0.0, 0.01, 0.1, 0.25, 0.5, 1.0]))
def test_recall_at_a_false_positive_rate_lies_on_the_roc_curve(
    rows: list[tuple[bool, int, float, int]], rate: float
) -> None:
    fraud, score, weight, _ = (np.array(column) for column in zip(*rows, strict=True))
    found = float(Ranking(fraud, score.astype(float)).curve(weight).recall_at([rate])[0])
    if fraud.all() or not fraud.any():
        assert np.isnan(found)
        return
    alarms, hits, _ = metrics.roc_curve(fraud, score, sample_weight=weight, drop_intermediate=False)
    reached = [i for i, alarm in enumerate(alarms) if alarm <= rate + 1e-12][-1]
    if reached + 1 < len(alarms):
        assert found == pytest.approx(float(np.interp(rate, alarms[reached:], hits[reached:])), abs=1e-9)
    else:
        assert found == pytest.approx(1.0)


@settings(max_examples=100)
@given(ROWS, st.integers(1, 60))
def test_a_queue_holds_the_most_suspicious_of_each_day(
    rows: list[tuple[bool, int, float, int]], per_day: int
) -> None:
    fraud, score, weight, day = (np.array(column) for column in zip(*rows, strict=True))
    scored = Scored(fraud, score / 10 + 0.5, weight, np.arange(len(rows)), day * DAY, np.zeros(len(rows)))
    found = measure(scored, COSTS, per_day, resamples=0).at_capacity
    hits = looked_at = 0.0
    for today in set(day.tolist()):
        left = float(per_day)
        for value in sorted(set(score[day == today].tolist()), reverse=True):
            step = (day == today) & (score == value)
            share = min(1.0, left / weight[step].sum())
            looked_at += share * weight[step].sum()
            hits += share * weight[step & fraud].sum()
            left -= share * weight[step].sum()
    assert found is not None
    assert found.precision.value == pytest.approx(hits / looked_at)


def test_card_precision_and_its_interval() -> None:
    scored = events()
    found = measure(scored, COSTS, resamples=100).card_precision.precision
    assert found.value == card_precision(scored.fraud, scored.score, scored.entity, scored.time)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_scores_that_are_probabilities_are_reliable_and_others_are_not() -> None:
    random = np.random.default_rng(2)
    scored = events(20_000)
    true = replace(scored, fraud=random.random(20_000) < scored.score)
    found = measure(true, COSTS, resamples=0)
    assert found.calibration_error.value == pytest.approx(0, abs=0.015)
    assert all(each.fraud.value == pytest.approx(each.score, abs=0.05) for each in found.reliability)
    assert sum(each.weight for each in found.reliability) == pytest.approx(true.weight.sum())
    proud = measure(replace(true, score=np.sqrt(true.score)), COSTS, resamples=0)
    assert proud.calibration_error.value == pytest.approx(
        np.average(np.sqrt(true.score) - true.score, weights=true.weight), abs=0.02
    )


def test_what_is_undefined_is_null() -> None:
    scored = events()
    honest = measure(scored.where(~scored.fraud), COSTS, 10, resamples=5)
    assert honest.overall.recall == honest.overall.average_precision == Figure()
    nothing = measure(scored.where(np.zeros(len(scored), bool)), COSTS, 10, resamples=5)
    assert nothing.overall.accuracy == nothing.card_precision.precision == nothing.overall.roc_auc == Figure()
    assert nothing.at_capacity is not None
    assert nothing.at_capacity.precision == Figure()
    for each in (honest, nothing):
        assert msgspec.json.decode(msgspec.json.encode(each), type=Measured) == each
        assert b"NaN" not in msgspec.json.encode(each)
    assert not any(np.isnan(value) for value in honest.flat().values())


def test_the_same_seed_gives_the_same_intervals() -> None:
    found = measure(events(), COSTS, 10, seed=3, resamples=20)
    assert found == measure(events(), COSTS, 10, seed=3, resamples=20)
    assert found != measure(events(), COSTS, 10, seed=4, resamples=20)
    assert len(found.recall_at) == len(FALSE_POSITIVE_RATES)


def test_segments_are_measured_like_the_whole() -> None:
    scored = events()
    tenth = deciles(scored.amount)
    found = measure(scored, COSTS, segments={"amount": tenth}, resamples=10).segments
    assert len(found) == 11, "ten tenths, and what has no amount"
    assert sum(each.figures.events for each in found) == len(scored)
    assert found[0].label == "-"
    for each in found[1:]:
        assert each.figures.events == pytest.approx(np.sum(~np.isnan(scored.amount)) / 10, abs=1)
        of = tenth == each.label
        assert each.figures == measure(scored.where(of), COSTS, resamples=10).overall


def test_rare_labels_are_taken_together() -> None:
    labels = np.array(
        [f"shop {i}" for i in range(LARGEST + 5) for _ in range(1 + (i < LARGEST))], dtype=object
    )
    found = dict(by_label(labels))
    assert len(found) == LARGEST + 1
    assert int(found[REST].sum()) == 5


def test_deciles_of_one_value_are_one() -> None:
    assert deciles(np.array([5.0, 5.0])).tolist() == ["01: from 5 to 5"] * 2
    assert deciles(np.array([np.nan])).tolist() == [None]
