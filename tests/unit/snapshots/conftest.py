"""Worlds in which scorers come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from tests.support.takeover import World
from tests.support.takeover_declared import FRAUDS, SPREAD, TERMINALS, declared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from structlog.typing import EventDict

    from feature_store.declaration.pipeline import Pipeline


@pytest.fixture(params=["per partition", "over all partitions"])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Pipeline:
    extra = [TERMINALS] if request.param == "over all partitions" else []
    return declared(tmp_path, FRAUDS, SPREAD, *extra)


@pytest.fixture
def one(tmp_path: Path) -> Pipeline:
    """State per partition."""
    return declared(tmp_path, FRAUDS)


@pytest.fixture
def world_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Pipeline], World]:
    return lambda pipeline: World(pipeline, monkeypatch)


@pytest.fixture
def said() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines
