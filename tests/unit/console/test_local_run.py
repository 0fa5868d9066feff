"""One run per state folder, and how other commands find it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.local_run import LocalRun, announced, broker_setting, current_run, find_bootstrap, only_run
from console.pipeline_file import open_pipeline
from feature_store.errors import BrokerError, ConfigError

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "payments.yaml"
RUN = LocalRun(os.getpid(), "p.yaml", "127.0.0.1:2", "http://m", "http://k")


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.setenv("SLUICEGATE_CONTROL_KEY", "given")
    monkeypatch.delenv("SLUICEGATE_BROKER", raising=False)
    return open_pipeline(SHIPPED, tmp_path)


def test_second_run_is_refused_and_told_who_runs(tmp_path: Path) -> None:
    words = f"process {os.getpid()} already runs here"
    with only_run(tmp_path), pytest.raises(ConfigError, match=words), only_run(tmp_path):
        pass
    with only_run(tmp_path):
        pass


def test_run_is_seen_while_it_lasts(tmp_path: Path) -> None:
    with only_run(tmp_path):
        with announced(tmp_path, RUN):
            assert current_run(tmp_path) == RUN
        assert current_run(tmp_path) is None


def test_run_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    with only_run(tmp_path), announced(tmp_path, RUN):
        left = (tmp_path / "up.json").read_bytes()
    (tmp_path / "up.json").write_bytes(left)
    assert current_run(tmp_path) is None


def test_broker_of_a_command(tmp_path: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokerError, match=r"nothing runs in .*sluicegate up"):
        find_bootstrap(None, tmp_path, pipeline)
    with only_run(tmp_path), announced(tmp_path, RUN):
        assert find_bootstrap(None, tmp_path, pipeline) == "127.0.0.1:2"
        monkeypatch.setenv("SLUICEGATE_BROKER", "of-environment:3")
        assert find_bootstrap(None, tmp_path, pipeline) == "of-environment:3"
        assert find_bootstrap("of-option:4", tmp_path, pipeline) == "of-option:4"


def test_broker_of_a_new_run(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    assert broker_setting(None, pipeline) == "auto"
    monkeypatch.setenv("SLUICEGATE_BROKER", "embedded")
    assert broker_setting(None, pipeline) == "embedded"
    assert broker_setting("kafka", pipeline) == "kafka"
