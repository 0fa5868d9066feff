from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_store.memory_map import memory_map
from tests.support.labelled import labelled
from tests.support.training_snapshots import AS_OF, DAY, START, declare
from training.contract import TrainingRequest
from training.dataset.split import split_in_time
from training.evaluation.ranking import average_precision
from training.fitting import bins
from training.fitting.challenger import Challenger, fit_challenger, refit_challenger

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.dataset.events import LabelledEvents

REQUEST = TrainingRequest("r", "payments", AS_OF, "v1", "test")
ALGORITHMS = pytest.mark.parametrize("algorithm", ["lightgbm", "xgboost"])
ROWS = 12_000


def quiet(_rounds: int, _loss: float) -> None:
    """Nobody hears of progress."""


def events() -> LabelledEvents:
    """Money to the cent; fraud begins exactly at 140.00."""
    random = np.random.default_rng(2)
    amount = random.gamma(2.0, 30.0, ROWS).round(2)
    fraud = random.random(ROWS) < np.where(amount >= 140, 0.7, 0.005)
    features = np.column_stack((amount, random.integers(0, 30, ROWS).astype(float), random.random(ROWS)))
    features[::50, 2] = np.nan
    return labelled(fraud, features, np.sort(random.integers(START, AS_OF - 3 * DAY, ROWS)))


def on_disk(rows: LabelledEvents, room: Path) -> LabelledEvents:
    features = memory_map(room, *rows.features.shape)
    features[:] = rows.features
    return replace(rows, features=features, room=room)


def fitted(rows: LabelledEvents, **training: object) -> Challenger:
    training["parameters"] = {"learning_rate": 0.3}
    split = split_in_time(rows, declare(**training).training, AS_OF - 3 * DAY)
    return fit_challenger(split, REQUEST, declare(**training), quiet)


def judged_precision(challenger: Challenger, rows: LabelledEvents) -> float:
    judged = split_in_time(rows, declare().training, AS_OF - 3 * DAY).judged
    return average_precision(judged.fraud, challenger.model.margins(judged.features))


@ALGORITHMS
@pytest.mark.parametrize("training", [{}, {"categorical": ["doubled"]}, {"sampling": {"legitimate": 0.5}}])
def test_events_on_disk_give_as_good_a_model(
    tmp_path: Path, algorithm: str, training: dict[str, object]
) -> None:
    rows = events()
    inside = fitted(rows, algorithm=algorithm, **training)
    outside = fitted(on_disk(rows, tmp_path), algorithm=algorithm, **training)
    precisions = judged_precision(inside, rows), judged_precision(outside, rows)
    assert precisions[0] > 0.45
    assert abs(precisions[1] - precisions[0]) < 0.03
    assert "rows_on_disk" not in inside.metrics
    assert outside.metrics["rows_on_disk"] == outside.metrics.get(
        "fit_rows_sampled", outside.metrics["fit_rows"]
    )
    assert list(tmp_path.iterdir()) == []


@ALGORITHMS
def test_the_same_file_gives_the_same_bytes_and_refits(tmp_path: Path, algorithm: str) -> None:
    rows = on_disk(events(), tmp_path)
    first, second = (fitted(rows, algorithm=algorithm) for _ in range(2))
    assert first.artifact == second.artifact
    fit = split_in_time(rows, declare().training, AS_OF - 3 * DAY).fit
    again = refit_challenger(first, fit, REQUEST, declare(algorithm=algorithm), quiet)
    some = rows.features[:2_000]
    assert np.array_equal(again.model.margins(some), first.model.margins(some))


@ALGORITHMS
def test_a_threshold_between_two_amounts_survives_few_rows_for_bins(
    tmp_path: Path, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event in three hundred is a fraud: a random draw of so few would know none of their amounts."""
    monkeypatch.setattr(bins, "MOST_LEGITIMATE", 300)
    challenger = fitted(on_disk(events(), tmp_path), algorithm=algorithm)
    around = np.column_stack((np.array([130.0, 150.0]), np.full(2, 3.0), np.full(2, 0.5)))
    low, high = challenger.model.scores(challenger.model.margins(around))
    assert low < 0.1
    assert high > 0.4


def test_bins_are_made_by_all_frauds_and_some_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bins, "MOST_LEGITIMATE", 100)
    rows = on_disk(events(), tmp_path)
    chosen = bins.rows_for_bins(rows, 7)
    assert len(chosen) == rows.frauds + 100
    fraud_amounts: NDArray[np.float64] = rows.features[rows.fraud, 0]
    assert set(fraud_amounts.tolist()) <= set(chosen[:, 0].tolist())


def test_rows_chosen_by_marks_stay_on_disk(tmp_path: Path) -> None:
    rows = on_disk(events(), tmp_path)
    chosen = np.random.default_rng(0).random(len(rows)) < 0.3
    some = rows.where(chosen)
    assert isinstance(some.features, np.memmap)
    assert np.array_equal(some.features, events().features[chosen], equal_nan=True)
    fewer = some.with_features([2, 0])
    assert isinstance(fewer.features, np.memmap)
    assert np.array_equal(fewer.features, some.features[:, [2, 0]], equal_nan=True)
    assert list(tmp_path.iterdir()) == []


def test_a_warm_start_is_declined_on_disk(tmp_path: Path) -> None:
    champion = fitted(events())
    split = split_in_time(on_disk(events(), tmp_path), declare().training, AS_OF - 3 * DAY)
    challenger = fit_challenger(
        split,
        REQUEST,
        declare(warm_start=True),
        quiet,
        champion_artifact=champion.artifact,
        champion_manifest=champion.manifest,
    )
    assert challenger.notes == [
        "not begun with the champion's trees: there are more events than training.sampling.rows_in_memory"
    ]
