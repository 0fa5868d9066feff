"""Whole runs with a training set on disk, with a search for parameters, with the champion's trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.support.training_snapshots import declare, payments
from training.contract import ARTIFACT, ChampionRef, load_request, load_result, save_request
from training.trainer.run import run_training

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.trainer.conftest import MakeRun
    from training.contract import TrainingResult

pytestmark = pytest.mark.usefixtures("undrawn")
ALGORITHMS = pytest.mark.parametrize("algorithm", ["lightgbm", "xgboost"])


class Told:
    """Remembers what was told."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def __call__(self, step: str, **_numbers: float) -> None:
        self.steps.append(step)


def run(folder: Path, told: Told, **training: Any) -> TrainingResult:
    result = run_training(folder, declare(**training), told)
    assert load_result(folder) == result
    assert result.verdict == "passed", result.reasons
    return result


@ALGORITHMS
def test_a_run_on_disk_ends_like_one_in_memory(make_run: MakeRun, algorithm: str) -> None:
    snapshot = payments(declare())
    inside = run(make_run(snapshot, "v1"), Told(), algorithm=algorithm)
    folder = make_run(snapshot, "v2")
    outside = run(folder, Told(), algorithm=algorithm, sampling={"rows_in_memory": 1_000})
    assert outside.metrics["rows_on_disk"] == outside.metrics["fit_rows"]
    assert abs(outside.metrics["average_precision"] - inside.metrics["average_precision"]) < 0.03
    assert outside.metrics["rows"] == inside.metrics["rows"]
    left = sorted(path.name for path in (folder / "snapshot").iterdir())
    assert left == ["outcomes.parquet", "scored.parquet"]


def test_a_run_tells_of_its_search_and_keeps_the_trials(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run(payments(declare()))
    request = msgspec.structs.replace(load_request(folder), tuning=str(tmp_path / "tuning.sqlite"))
    save_request(folder, request)
    told = Told()
    result = run(folder, told, tuning={"budget": "10m", "trials": 2})
    assert told.steps.count("tuning") == 2
    assert result.metrics["tuning_trials"] == 2
    assert (tmp_path / "tuning.sqlite").exists()


def test_a_run_begins_with_the_champions_trees(make_run: MakeRun) -> None:
    snapshot = payments(declare())
    first = make_run(snapshot, "v1")
    gate = {"min_frauds": 10, "refit": False}  # a refit has seen what the second is judged on
    champion = run(first, Told(), gate=gate).manifest
    assert champion is not None
    (first / "manifest.json").write_bytes(msgspec.json.encode(champion))
    reference = ChampionRef("v1", str(first / "manifest.json"), str(first / ARTIFACT))
    second = run(make_run(snapshot, "v2", champion=reference), Told(), warm_start=True).manifest
    assert second is not None
    assert champion.recipe is not None
    assert second.recipe is not None
    assert second.recipe.begun_with == "v1"
    assert second.recipe.rounds > champion.recipe.rounds


def test_trees_that_know_the_judged_events_are_not_begun_with(make_run: MakeRun) -> None:
    snapshot = payments(declare())
    first = make_run(snapshot, "v1")
    (first / "manifest.json").write_bytes(msgspec.json.encode(run(first, Told()).manifest))
    reference = ChampionRef("v1", str(first / "manifest.json"), str(first / ARTIFACT))
    second = run(make_run(snapshot, "v2", champion=reference), Told(), warm_start=True)
    assert second.manifest is not None
    assert second.manifest.recipe is not None
    assert second.manifest.recipe.begun_with is None
    assert any("not begun with the champion's trees" in reason for reason in second.reasons)
