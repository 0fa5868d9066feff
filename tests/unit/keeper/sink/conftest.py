"""A sink as a fresh process starts it, and workers beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.keeper.sink.working import Working, with_workers
from training.keeper.sink import Sink
from training.sink import worker as worker_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from tests.unit.keeper.sink.sinking import NewParts
    from tests.unit.keeper.sink.working import NewWorker
    from training.keeper.parts import Parts


@pytest.fixture
def new_sink(new_parts: NewParts) -> Iterator[Callable[..., tuple[Sink, Parts]]]:
    """Start a sink as a fresh process would; the one before is closed first."""
    sinks: list[Sink] = []

    def start(*declared: Pipeline) -> tuple[Sink, Parts]:
        while sinks:
            sinks.pop().close()
        parts = new_parts(*declared)
        sinks.append(Sink(parts))
        return sinks[0], parts

    yield start
    for sink in sinks:
        sink.close()


@pytest.fixture
def new_worker(
    pipeline: Pipeline, bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewWorker]:
    """Start a worker; those before go on. All leave in the end."""
    monkeypatch.setattr(worker_module, "_WAIT_S", 0.02)
    started: list[Working] = []

    def start(declared: Pipeline = pipeline) -> Working:
        started.append(Working(with_workers(declared), bootstrap, tmp_path))
        return started[-1]

    yield start
    for each in started:
        each.close()
