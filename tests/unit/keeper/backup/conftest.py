"""Keepers of restored state folders."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.keeper_parts import close_parts, open_parts
from tests.unit.keeper.sink.conftest import new_sink
from training.keeper.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts

__all__ = ["new_sink"]


@pytest.fixture
def new_elsewhere(
    config: Path, pipeline: Pipeline, bootstrap: str
) -> Iterator[Callable[[Path], tuple[Sink, Parts]]]:
    """Start the sink of a keeper on another state folder."""
    with ExitStack() as stack:

        def start(state_dir: Path) -> tuple[Sink, Parts]:
            parts = open_parts(config, pipeline, bootstrap, state_dir)
            stack.callback(close_parts, parts)
            sink = Sink(parts)
            stack.callback(sink.close)
            return sink, parts

        yield start
