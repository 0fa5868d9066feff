"""A sink as a fresh process starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from training.keeper.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from feature_store.declaration.pipeline import Pipeline
    from tests.unit.keeper.sink.sinking import NewParts
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
