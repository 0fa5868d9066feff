"""The trainer as the keeper starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.support.training_snapshots import declaration, declare, payments
from training.contract import REQUEST, RESULT, load_result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.trainer.conftest import MakeRun


def start(folder: Path, **training: Any) -> subprocess.CompletedProcess[str]:
    config = folder / "pipeline.yaml"
    config.write_text(json.dumps(declaration(**training)))  # JSON is YAML
    command = [sys.executable, "-m", "training.trainer", str(folder), "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_tells_its_progress_and_leaves_a_result(make_run: MakeRun) -> None:
    folder = make_run(payments(declare()))
    ended = start(folder)
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {line["event"] for line in lines} == {"training_progress"}
    steps = list(dict.fromkeys(line["step"] for line in lines))
    assert steps == ["labelled", "split", "fitting", "fitted", "refitting", "drawing", "passed"]
    assert load_result(folder).verdict == "passed"


def test_parameters_that_the_library_refuses_are_a_config_error(make_run: MakeRun) -> None:
    folder = make_run(payments(declare()))
    ended = start(folder, parameters={"num_leaves": 0})
    assert ended.returncode == 2
    assert "training.parameters: LightGBM refuses them" in ended.stderr
    assert not (folder / RESULT).exists()


def test_without_a_request_it_says_so_and_leaves_no_result(make_run: MakeRun) -> None:
    folder = make_run(payments(declare(), rows=0))
    (folder / REQUEST).unlink()
    ended = start(folder)
    assert ended.returncode == 1
    assert "request.json: cannot be read" in ended.stderr
    assert ended.stdout == ""
    assert not (folder / RESULT).exists()
