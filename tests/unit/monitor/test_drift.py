"""The newest events held against what the champion was fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from feature_store.declaration.pipeline import Pipeline
from streams.messages import FeatureRef, Manifest
from streams.messages.model import FeatureBins, FeatureReference, ScoreBins
from streams.monitor.drift import Drift, time_features
from streams.monitor.sample import Sample
from tests.support.manifests import bare_manifest
from tests.support.training_snapshots import declaration

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
EVEN = FeatureBins(EDGES, [0.1] * 10, 5_000.0)
RANDOM = np.random.default_rng(2)


def _pipeline(**drift: Any) -> Pipeline:
    tree = declaration()
    tree["features"]["rows"] = {"one": "amount", "other": "amount * 2", "hour": "hour(event_time)"}
    return Pipeline.model_validate({**tree, "monitoring": {"drift": drift}})


SCORES = ScoreBins(EDGES, [0.1] * 10)


def _manifest(bins: dict[str, FeatureBins] | None) -> Manifest:
    reference = None if bins is None else FeatureReference("", "", 5_000, 4_000.0, bins)
    features = [FeatureRef(name, "0" * 16) for name in ("one", "other", "hour")]
    return bare_manifest(features=features, score_bins=SCORES, feature_bins=reference)


def _sample(one: NDArray[np.float64], scores: NDArray[np.float64] | None = None) -> Sample:
    count = len(one)
    features = np.column_stack([one, RANDOM.random(count), np.full(count, 3.0)])
    return Sample(
        np.ones(count),
        np.arange(count, dtype=np.uint64),
        np.zeros(count, np.int64),
        RANDOM.random(count) if scores is None else scores,
        features,
        count,
    )


def _compared(sample: Sample, bins: FeatureBins = EVEN, *, line: int = 0, **drift: Any) -> dict[str, Any]:
    known = {"one": bins, "other": EVEN, "hour": EVEN}
    return Drift(_pipeline(**drift)).compare(sample, _manifest(known), {line: SCORES}, whole=True)


def _state(found: dict[str, Any], name: str = "one") -> str:
    (state,) = (str(each["state"]) for each in found["features"] if each["name"] == name)
    return state


def test_the_same_distribution_is_stable_and_another_has_drifted() -> None:
    found = _compared(_sample(RANDOM.random(3_000)))
    assert found["state"] == "stable"
    assert [each["state"] for each in found["features"]] == ["stable", "stable", "ignored"]
    assert found["score"]["state"] == "stable"
    moved = _compared(_sample(RANDOM.random(3_000) ** 2))
    assert (_state(moved), _state(moved, "other"), moved["state"]) == ("drift", "stable", "drift")
    (one,) = (each for each in moved["features"] if each["name"] == "one")
    assert one["psi"] == pytest.approx(sum((b - 0.1) * np.log(b / 0.1) for b in one["shares"]), abs=1e-3)
    assert one["p_value"] < 1e-6


def test_a_small_shift_is_no_drift_however_many_events_show_it() -> None:
    found = _compared(_sample(RANDOM.random(40_000) ** 1.15))
    (one,) = (each for each in found["features"] if each["name"] == "one")
    assert one["p_value"] < 0.001
    assert one["state"] == "stable"


def test_a_large_shift_by_one_customer_is_no_drift() -> None:
    values = np.concatenate([RANDOM.random(1_000), np.full(1_000, 0.05)])
    sample = _sample(values)
    entities = np.concatenate([np.arange(1_000), np.full(1_000, 7)]).astype(np.uint64)
    assert _state(_compared(sample)) == "drift"
    assert _state(_compared(sample._replace(entities=entities))) == "between"


def test_what_moves_so_far_on_any_day_is_no_news() -> None:
    usual = FeatureBins(EDGES, [0.1] * 10, 5_000.0, usual=0.25)
    sample = _sample(RANDOM.random(3_000) ** 2)
    assert _state(_compared(sample)) == "drift"
    assert _state(_compared(sample, usual)) != "drift"
    assert _state(_compared(sample, psi=0.9)) == "between"
    assert _state(_compared(sample, ignore=("one",))) == "ignored"


def test_values_that_are_missing_are_told_apart_from_a_shift() -> None:
    values = RANDOM.random(3_000)
    values[:900] = np.nan
    found = _compared(_sample(values))
    (one,) = (each for each in found["features"] if each["name"] == "one")
    assert (one["state"], one["missing_state"]) == ("missing", "bad")
    assert one["missing"] == pytest.approx(0.3)
    assert one["psi"] < 0.05
    known = FeatureBins(EDGES, [0.1] * 10, 5_000.0, missing=0.28)
    assert _state(_compared(_sample(values), known)) == "stable"
    gone = _compared(_sample(np.full(3_000, np.nan)))
    assert (_state(gone), gone["features"][0]["psi"]) == ("missing", None)


def test_scores_are_held_against_the_judged_ones() -> None:
    low = RANDOM.random(3_000) * 0.5
    assert _compared(_sample(RANDOM.random(3_000), low))["score"]["state"] == "drift"
    by_others = _compared(_sample(RANDOM.random(3_000), low), line=9)
    assert (by_others["score"]["n"], by_others["score"]["state"]) == (0, "too_little")


def test_scores_of_the_champion_before_are_held_against_its_own() -> None:
    count = 3_000
    first, then = RANDOM.random(count) * 0.5, RANDOM.random(count)
    sample = _sample(RANDOM.random(2 * count), np.concatenate([first, then]))
    sample = sample._replace(models=np.repeat([1, 0], count))
    low = ScoreBins([edge / 2 for edge in EDGES] + [0.49, 0.495], [0.1] * 9 + [0.08, 0.01, 0.01])

    def told(line: dict[int, ScoreBins]) -> dict[str, Any]:
        found = Drift(_pipeline()).compare(sample, _manifest({"one": EVEN}), line, whole=True)["score"]
        assert isinstance(found, dict)
        assert len(found["edges"]) + 1 == len(found["shares"]) == len(found["reference_shares"])
        return found

    assert told({0: SCORES, 1: SCORES})["state"] == "drift"
    assert told({0: SCORES, 1: low})["state"] == "stable"


def test_too_little_says_nothing() -> None:
    few = _sample(RANDOM.random(900) ** 2)
    assert _compared(few)["state"] == "too_little"
    assert _state(_compared(few)) == "too_little"
    early = Drift(_pipeline()).compare(
        _sample(RANDOM.random(3_000)), _manifest({"one": EVEN}), {0: SCORES}, whole=False
    )
    assert early["why"] == "the window is not full yet"


def test_without_a_reference_there_is_nothing_to_hold_against() -> None:
    drift, sample = Drift(_pipeline()), _sample(RANDOM.random(3_000))
    assert drift.compare(sample, None, {}, whole=True)["reference"] is None
    old = drift.compare(sample, _manifest(None), {0: SCORES}, whole=True)
    assert (old["state"], old["features"]) == ("no_reference", [])
    assert old["score"]["state"] == "stable"


def test_features_of_the_time_alone_may_move() -> None:
    assert time_features(_pipeline()) == {"hour"}
