"""Run folders as the keeper writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.training_snapshots import AS_OF, Snapshot
from training.contract import ChampionRef, TrainingRequest, save_request

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

    def make(
        snapshot: Snapshot,
        version: str = "v1",
        *,
        champion: ChampionRef | None = None,
        shuffle: bool = False,
    ) -> Path:
        folder = tmp_path / version
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

    return make
