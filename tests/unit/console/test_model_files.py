"""A version's files: from the state folder where the topic does not have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.model_files import find_model, write_file
from feature_store.errors import BrokerError, ContractError, StorageError
from tests.support.models import small_model
from tests.support.training_snapshots import declare
from training.contract import ARTIFACT, TrainingResult, save_result

if TYPE_CHECKING:
    from pathlib import Path


def nowhere() -> str:
    raise BrokerError("no broker runs")


def test_without_a_broker_the_folder_of_the_run_has_it(tmp_path: Path) -> None:
    pipeline = declare()
    manifest, artifact = small_model(pipeline, "v1")
    for run_id, released in (("r-1", manifest), ("r-2", None)):
        folder = tmp_path / "runs" / run_id
        folder.mkdir(parents=True)
        verdict = "passed" if released else "refused"
        save_result(folder, TrainingResult(run_id, verdict, [], 0, manifest=released))  # type: ignore[arg-type]
        (folder / ARTIFACT).write_bytes(artifact)
    assert find_model("v1", pipeline, tmp_path, nowhere) == (manifest, artifact)
    with pytest.raises(ContractError, match=r"v2: no broker runs; and .* no training run"):
        find_model("v2", pipeline, tmp_path, nowhere)


def test_a_file_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: Is a directory"):
        write_file(tmp_path, b"")
