from __future__ import annotations

import pytest

from feature_store.errors import ConfigError
from tests.support.training_snapshots import declare
from training.fitting import algorithms, device
from training.fitting.algorithms import threads
from training.fitting.device import training_device


def test_a_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {name: declare(algorithm="xgboost", device=name).training for name in ("auto", "cpu", "cuda")}
    monkeypatch.setattr(device, "why_not", lambda: "CUDA finds no GPU")
    assert [training_device(chosen[name]) for name in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(ConfigError, match=r"training\.device: cuda cannot be had here: CUDA finds no GPU"):
        training_device(chosen["cuda"])
    monkeypatch.setattr(device, "why_not", lambda: None)
    assert [training_device(chosen[name]) for name in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]
    assert training_device(declare(device="auto").training) == "cpu"


def test_threads_grow_with_the_rows_and_end_with_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algorithms, "_cores", lambda: 8)
    assert [threads(rows) for rows in (0, 99_999, 100_000, 399_999, 50_000_000)] == [1, 1, 2, 7, 8]
