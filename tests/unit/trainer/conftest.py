"""Run folders as the keeper writes them."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.training_snapshots import AS_OF, Snapshot, declare, payments
from training.contract import ChampionRef, TrainingRequest, save_request
from training.trainer.run import run_training

if TYPE_CHECKING:
    from pathlib import Path


class MakeRun(Protocol):
    """Writes a run folder."""

    def __call__(
        self,
        snapshot: Snapshot,
        version: str = "v1",
        *,
        champion: ChampionRef | None = None,
        shuffle: bool = False,
    ) -> Path: ...


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Write a run folder for a snapshot."""
    return partial(write_run, tmp_path)


def write_run(
    place: Path,
    snapshot: Snapshot,
    version: str = "v1",
    *,
    champion: ChampionRef | None = None,
    shuffle: bool = False,
) -> Path:
    """Write a run folder for a snapshot into ``place``."""
    folder = place / version
    snapshot.write(folder)
    request = TrainingRequest(
        run_id=version,
        pipeline="payments",
        as_of=AS_OF,
        next_version=version,
        why="test",
        champion=champion,
        shuffle_labels=shuffle,
    )
    save_request(folder, request)
    return folder


def quiet(step: str, **numbers: float) -> None:
    """Nobody hears of progress."""


@pytest.fixture(scope="session")
def passed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on good data that passed, card and all; nobody writes into it."""
    folder = write_run(tmp_path_factory.mktemp("passed"), payments(declare()), "passed")
    run_training(folder, declare(), quiet)
    return folder


@pytest.fixture
def passed(passed_once: Path, tmp_path: Path) -> Path:
    """A run on `payments(declare())` that passed, as one's own."""
    return shutil.copytree(passed_once, tmp_path / passed_once.name)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs draw no card: two thirds of a small run's time would go there."""
    monkeypatch.setattr("training.trainer.run.draw", lambda *_, **__: None)
