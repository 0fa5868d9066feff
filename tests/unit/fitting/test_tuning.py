from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import optuna
import pytest

from tests.support.labelled import labelled
from tests.support.training_snapshots import AS_OF, DAY, START, declare
from training.contract import TrainingRequest
from training.dataset.split import split_by_share, split_in_time
from training.fitting.challenger import Challenger, fit_challenger
from training.fitting.tuning import study_name

if TYPE_CHECKING:
    from pathlib import Path

    from training.dataset.events import LabelledEvents

SPACE = {"learning_rate", "num_leaves", "min_data_in_leaf", "min_sum_hessian_in_leaf", "lambda_l2"}
POOR = {"num_iterations": 20, "feature_fraction": 1.0}
"""Twenty rounds at the declared rate are too few, so that the search has something to find."""


def declared(**training: object) -> dict[str, object]:
    return {"parameters": POOR, "tuning": {"budget": "10m", "trials": 4}, **training}


def request(folder: Path, run: str = "r1") -> TrainingRequest:
    return TrainingRequest(run, "payments", AS_OF, "v1", "test", tuning=str(folder / "tuning.sqlite"))


def events(seed: int = 1) -> LabelledEvents:
    random = np.random.default_rng(seed)
    amount = random.gamma(2.0, 30.0, 3_000).round(2)
    fraud = random.random(3_000) < np.where(amount > 140, 0.8, 0.01)
    features = np.column_stack((amount, 2 * amount, random.random(3_000)))
    return labelled(fraud, features, np.sort(random.integers(START, AS_OF - 3 * DAY, 3_000)))


class Told:
    """Hears of trials, and interrupts the run when it has heard of ``until``."""

    def __init__(self, until: int = 1_000) -> None:
        self.trials: list[float] = []
        self._until = until

    def __call__(self, step: str, **numbers: float) -> None:
        assert step == "tuning"
        self.trials.append(numbers["trial"])
        if len(self.trials) >= self._until:
            raise KeyboardInterrupt


def quiet(_rounds: int, _loss: float) -> None:
    """Nobody hears of progress."""


def fitted(asked: TrainingRequest, told: Told, seed: int = 1, **training: object) -> Challenger:
    pipeline = declare(**declared(**training))
    split = split_in_time(events(seed), pipeline.training, AS_OF - 3 * DAY)
    return fit_challenger(split, asked, pipeline, quiet, tell=told)


def study_of(folder: Path) -> optuna.Study:
    name = study_name(declare(**declared()))
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / 'tuning.sqlite'}")


def test_what_the_search_finds_is_fitted_with_and_told(tmp_path: Path) -> None:
    told = Told()
    challenger = fitted(request(tmp_path), told)
    assert told.trials == [1, 2, 3, 4]
    assert challenger.metrics["tuning_trials"] == 4
    assert challenger.metrics["tuning_gain"] > 0
    best = study_of(tmp_path).best_trial
    assert set(best.params) == SPACE
    assert best.params.items() <= challenger.recipe.parameters.items()
    assert POOR.items() <= challenger.recipe.parameters.items()


def test_a_killed_search_ends_where_it_would_have_ended(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = fitted(request(tmp_path / "whole"), Told())
    with pytest.raises(KeyboardInterrupt):
        fitted(request(tmp_path), Told(until=2))
    study = study_of(tmp_path)
    study.ask().suggest_int("num_leaves", 4, 64, log=True)  # killed in the middle of a trial
    told = Told()
    again = fitted(request(tmp_path), told)
    assert told.trials == [3, 4]
    finished = [trial for trial in study_of(tmp_path).trials if trial.state.is_finished()]
    assert sorted(trial.state.name for trial in finished).count("FAIL") == 1
    assert again.metrics["tuning_trials"] == 4
    assert whole.metrics["tuning_trials"] == 4


def test_an_interruption_between_trials_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = fitted(request(tmp_path / "whole"), Told())
    with pytest.raises(KeyboardInterrupt):
        fitted(request(tmp_path), Told(until=2))
    assert fitted(request(tmp_path), Told()).artifact == whole.artifact


def test_the_next_night_begins_with_the_best_of_the_last(tmp_path: Path) -> None:
    fitted(request(tmp_path), Told())
    best = study_of(tmp_path).best_trial.params
    told = Told()
    challenger = fitted(request(tmp_path, "r2"), told, seed=2)
    trials = study_of(tmp_path).trials
    assert len(trials) == 8
    assert trials[4].params == best
    assert told.trials == [1, 2, 3, 4]
    tonight = min((trial for trial in trials[4:]), key=lambda trial: trial.value or 0.0)
    assert tonight.params.items() <= challenger.recipe.parameters.items()


def test_without_a_file_the_search_is_repeatable() -> None:
    asked = TrainingRequest("r", "payments", AS_OF, "v1", "test")
    first, second = (fitted(asked, Told(), algorithm=name, parameters={}) for name in ["xgboost"] * 2)
    assert first.metrics["tuning_trials"] == 4
    assert first.artifact == second.artifact
    assert msgspec.json.encode(first.manifest) == msgspec.json.encode(second.manifest)


def test_a_spent_budget_ends_the_search() -> None:
    asked = TrainingRequest("r", "payments", AS_OF, "v1", "test")
    told = Told()
    fitted(asked, told, tuning={"budget": "1ms", "trials": 50})
    assert told.trials == [1]


def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "tuning.sqlite").write_bytes(b"no database" * 100)
    assert fitted(request(tmp_path), Told()).metrics["tuning_trials"] == 4
    assert (tmp_path / "tuning.sqlite.damaged").read_bytes().startswith(b"no database")


def test_another_definition_is_another_study() -> None:
    names = {
        study_name(declare(**declared())),
        study_name(declare(**declared(algorithm="xgboost"))),
        study_name(declare(**declared(categorical=["noise"]))),
        study_name(declare(**declared(parameters={"num_leaves": 5}))),
    }
    assert len(names) == 4


def test_shuffled_labels_teach_no_study(tmp_path: Path) -> None:
    fitted(msgspec.structs.replace(request(tmp_path), shuffle_labels=True), Told(until=1))
    assert not (tmp_path / "tuning.sqlite").exists()


def test_the_search_splits_what_trees_are_fitted_on_in_time() -> None:
    rows = events()
    older, newer = split_by_share(rows)
    assert len(older) + len(newer) == len(rows)
    assert older.time.max() < newer.time.min()
    assert newer.frauds >= 0.19 * rows.frauds
    assert [len(part) for part in split_by_share(rows.where(slice(0, 0)))] == [0, 0]


def test_a_budget_beyond_the_time_limit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"training\.tuning\.budget"):
        declare(tuning={"budget": "2h"})


def test_nothing_of_optuna_is_loaded_without_a_budget() -> None:
    code = "import sys, training.trainer.run, training.fitting.challenger; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
