"""Topics for a keeper's models, and what a watcher raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.kafka import ensure_topics, pipeline_topics
from tests.support.payments import private_pipeline
from tests.support.policies import Alerts

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker


@pytest.fixture
def declared(tmp_path: Path, unique: str, embedded_broker: Broker) -> Pipeline:
    """The shipped pipeline; its topics are there."""
    _, pipeline = private_pipeline(tmp_path, unique)
    ensure_topics(embedded_broker.bootstrap, pipeline_topics(pipeline))
    return pipeline


@pytest.fixture
def alerts() -> Alerts:
    """Nothing is raised yet."""
    return Alerts()
