"""A fit on a GPU is as good as one on the CPU, keeps its promises, and is scored on a CPU the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_store.errors import ConfigError
from feature_store.memory_map import memory_map
from streams.models.champion import load_champion
from streams.models.cuda import CLOSE
from streams.models.engine import native_engine
from tests.support.challengers import REQUEST, events, fitted, quiet, split_of
from tests.support.gpu import GPU
from tests.support.labelled import labelled
from tests.support.training_snapshots import AS_OF, DAY, START, declare
from training.evaluation.ranking import average_precision
from training.fitting import xgboost_trees
from training.fitting.challenger import fit_challenger, refit_challenger

if TYPE_CHECKING:
    from pathlib import Path

    from training.dataset.events import LabelledEvents
    from training.fitting.challenger import Challenger

pytestmark = GPU


def on(device: str, rows: LabelledEvents, **training: object) -> Challenger:
    return fitted(rows, algorithm="xgboost", device=device, **training)


def precision(challenger: Challenger, rows: LabelledEvents) -> float:
    judged = split_of(rows).judged
    return average_precision(judged.fraud, challenger.model.margins(judged.features))


def on_disk(rows: LabelledEvents, room: Path) -> LabelledEvents:
    features = memory_map(room, *rows.features.shape)
    features[:] = rows.features
    return replace(rows, features=features, room=room)


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_the_gpu_grows_trees_that_are_as_good(device: str) -> None:
    rows = events(12_000)
    there, here = on(device, rows), on("cpu", rows)
    assert there.metrics["fitted_on_gpu"] == 1
    assert "fitted_on_gpu" not in here.metrics
    assert precision(here, rows) > 0.6
    assert abs(precision(there, rows) - precision(here, rows)) < 0.03


def test_a_fit_that_lost_the_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xgboost_trees, "device_of", lambda _booster: "cpu")
    with pytest.raises(ConfigError, match=r"training\.device: XGBoost lost the GPU"):
        on("cuda", events())


def test_what_the_gpu_fitted_is_scored_on_a_cpu_the_same() -> None:
    rows = events(6_000)
    challenger = on("cuda", rows)
    native = native_engine("xgboost", challenger.artifact).margins(rows.features)
    assert challenger.model.fallback is None
    assert np.array_equal(challenger.model.margins(rows.features), native)
    vector = declare(algorithm="xgboost").feature_vector
    served = load_champion(challenger.manifest, challenger.artifact, vector, device="cuda")
    assert served.engine.name == "xgboost-cuda"
    assert np.abs(served.margins(rows.features) - native).max() <= CLOSE


@pytest.mark.parametrize("disk", [False, True])
@pytest.mark.parametrize("training", [{}, {"sampling": {"legitimate": 0.5, "balance": True}}])
def test_a_gpu_gives_the_same_bytes_again_and_other_trees_by_another_seed(
    tmp_path: Path, training: dict[str, object], *, disk: bool
) -> None:
    rows = on_disk(events(), tmp_path) if disk else events()
    first, second = (on("cuda", rows, **training) for _ in range(2))
    assert first.artifact == second.artifact
    assert on("cuda", rows, seed=8, **training).artifact != first.artifact


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_a_refit_agrees_whichever_device_it_is_made_on(device: str) -> None:
    """The gate's fit on the GPU, the refit there or on a machine that has none."""
    rows = events(6_000)
    challenger = on("cuda", rows)
    pipeline = declare(algorithm="xgboost", device=device)
    again = refit_challenger(challenger, split_of(rows).fit, REQUEST, pipeline, quiet)
    before, after = challenger.model.margins(rows.features), again.model.margins(rows.features)
    if device == "cuda":
        assert np.array_equal(after, before)
    assert np.corrcoef(before, after)[0, 1] > 0.98
    assert again.rounds == challenger.rounds


def test_a_warm_start_on_the_gpu_begins_with_trees_from_the_cpu() -> None:
    rows = events(6_000)
    champion = on("cpu", rows.where(slice(0, 4_000)))
    pipeline = declare(algorithm="xgboost", warm_start=True, device="cuda")
    challenger = fit_challenger(
        split_of(rows),
        REQUEST,
        pipeline,
        quiet,
        champion_artifact=champion.artifact,
        champion_manifest=champion.manifest,
    )
    assert challenger.recipe.begun_with == "v1"
    assert challenger.metrics["fitted_on_gpu"] == 1
    assert challenger.rounds > champion.rounds


@pytest.mark.parametrize("disk", [False, True])
def test_a_monotone_feature_never_lowers_the_margin(tmp_path: Path, *, disk: bool) -> None:
    random = np.random.default_rng(6)
    rows = events(6_000)
    wavy = random.random(6_000) < np.where(np.sin(rows.features[:, 0] / 15) > 0.6, 0.5, 0.03)
    rows = labelled(wavy, rows.features[:, [0, 2, 2]], rows.time)
    rows = on_disk(rows, tmp_path) if disk else rows
    free = on("cuda", rows)
    held = on("cuda", rows, monotone={"amount_eur": "increasing"})
    base = np.repeat(rows.features[:50], 300, axis=0)
    base[:, 0] = np.tile(np.linspace(0, 250, 300), 50)
    for challenger, rises in ((free, False), (held, True)):
        swept = challenger.model.margins(base).reshape(50, 300)
        assert bool(np.all(np.diff(swept, axis=1) >= 0)) is rises


@pytest.mark.parametrize("disk", [False, True])
def test_a_categorical_feature_is_split_by_sets_and_walked_alike(tmp_path: Path, *, disk: bool) -> None:
    random = np.random.default_rng(6)
    category = random.integers(0, 40, 8_000).astype(np.float64)
    category[random.random(8_000) < 0.05] = np.nan
    risky = [3, 11, 12, 29, 37]
    fraud = random.random(8_000) < np.where(np.isin(category, risky), 0.6, 0.02)
    features = np.column_stack((random.gamma(2.0, 30.0, 8_000), category, random.random(8_000)))
    rows = labelled(fraud, features, np.sort(random.integers(START, AS_OF - 3 * DAY, 8_000)))
    rows = on_disk(rows, tmp_path) if disk else rows
    challenger = on("cuda", rows, categorical=["doubled"], parameters={"max_cat_to_onehot": 4})
    assert challenger.model.packed is not None, challenger.model.fallback
    few = np.column_stack((np.full(60, 50.0), np.arange(60.0), np.full(60, 0.5)))
    high = challenger.model.scores(challenger.model.margins(few)) > 0.3
    assert np.flatnonzero(high[:40]).tolist() == risky


def test_events_on_disk_give_as_good_a_model_and_leave_nothing(tmp_path: Path) -> None:
    rows = events(12_000)
    inside, outside = on("cuda", rows), on("cuda", on_disk(rows, tmp_path))
    assert outside.metrics["rows_on_disk"] == outside.metrics["fit_rows"]
    assert outside.metrics["fitted_on_gpu"] == 1
    assert abs(precision(inside, rows) - precision(outside, rows)) < 0.03
    assert list(tmp_path.iterdir()) == []


def test_a_search_for_parameters_runs_on_the_gpu() -> None:
    challenger = on("cuda", events(), tuning={"budget": "2m", "trials": 3})
    assert challenger.metrics["fitted_on_gpu"] == 1
    assert challenger.metrics["tuning_trials"] == 3
