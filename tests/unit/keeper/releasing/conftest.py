"""A keeper before twelve hours of events, and what a test declares of its releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.keeper.releasing.decided import SIZE, with_release
from tests.unit.keeper.written import START, write_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts


@pytest.fixture
def staged() -> Mapping[str, Any]:
    """What a test declares of ``training.release``."""
    return {}


@pytest.fixture
def parts(
    new_parts: Callable[..., Parts], pipeline: Pipeline, bootstrap: str, staged: Mapping[str, Any]
) -> Parts:
    """A keeper before twelve hours of events on two partitions."""
    write_batches(pipeline, bootstrap, 0, batches=1, size=SIZE)
    made = new_parts(with_release(pipeline, staged))
    made.clock.observe(START)
    return made
