from __future__ import annotations

import numpy as np
import pytest

from tests.support.challengers import ALGORITHMS, REQUEST, events, fitted, quiet, split_of
from tests.support.labelled import labelled
from tests.support.training_snapshots import declare
from training.fitting import bins, lightgbm_data
from training.fitting.challenger import fit_challenger
from training.fitting.sampling import sampled

SAMPLING: list[dict[str, object]] = [
    {"legitimate": 0.25},
    {"balance": True},
    {"legitimate": 0.25, "balance": True},
]


@ALGORITHMS
@pytest.mark.parametrize("sampling", SAMPLING)
@pytest.mark.parametrize("calibration", ["platt", "beta", "isotonic"])
def test_scores_are_right_on_the_whole_population(
    algorithm: str, sampling: dict[str, object], calibration: str
) -> None:
    rows = events(12_000)
    split = split_of(rows)
    weight = np.random.default_rng(0).uniform(1, 3, len(rows))
    weighted = labelled(
        rows.fraud, rows.features, rows.time, weight=weight, fit_weight=weight, draw=rows.draw
    )
    challenger = fitted(weighted, algorithm=algorithm, sampling=sampling, calibration=calibration)
    judged = split_of(weighted).judged
    scores = challenger.model.scores(challenger.model.margins(judged.features))
    assert np.average(scores, weights=judged.weight) == pytest.approx(
        np.average(judged.fraud, weights=judged.weight), rel=0.25
    )
    validation = split_of(weighted).validation
    scores = challenger.model.scores(challenger.model.margins(validation.features))
    assert np.average(scores, weights=validation.weight) == pytest.approx(
        np.average(validation.fraud, weights=validation.weight), rel=0.03
    )
    assert challenger.metrics["fit_rows"] == len(split.fit)
    if "legitimate" in sampling:
        assert challenger.metrics["fit_rows_sampled"] < 0.4 * len(split.fit)


def test_sampling_keeps_the_weight_of_the_population() -> None:
    rows = events(20_000)
    some = sampled(rows, 0.2)
    assert some.frauds == rows.frauds
    assert some.weight.sum() == pytest.approx(len(rows), rel=0.05)
    again = sampled(rows.where(slice(0, 10_000)), 0.2)
    assert np.array_equal(again.time, some.time[: len(again)])


def test_more_events_than_are_binned_by_are_binned_by_their_frauds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = events(6_000)
    whole = fitted(rows)
    for module in (bins, lightgbm_data):
        monkeypatch.setattr(module, "MOST_LEGITIMATE", 500)
    some = fitted(rows)
    assert "bins_by_rows" not in whole.metrics
    assert some.metrics["bins_by_rows"] == split_of(rows).fit.frauds + 500
    asked = np.array([[100.0, 200.0, 0.5], [180.0, 360.0, 0.5]])
    low, high = some.model.scores(some.model.margins(asked))
    assert low < 0.1
    assert high > 0.4
    warm = fit_challenger(
        split_of(rows),
        REQUEST,
        declare(warm_start=True),
        quiet,
        champion_artifact=some.artifact,
        champion_manifest=some.manifest,
    )
    assert warm.rounds > some.rounds
