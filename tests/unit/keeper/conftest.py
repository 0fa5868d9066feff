"""A small pipeline, on topics of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feature_store.declaration.load import load_pipeline
from streams.kafka import ensure_topics, pipeline_topics
from tests.support.keeper_parts import close_parts, open_parts
from tests.unit.keeper.sending import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker
    from training.keeper.parts import Parts

PIPELINE = """
pipeline: {name}
clock: stream
topics: {{events: {name}.events, decisions: {name}.decisions, outcomes: {name}.outcomes,
  features: {name}.features, models: {name}.models, dead_letters: {name}.dead, alerts: {name}.alerts,
  entity_outcomes: {name}.entity-outcomes, partitions: 2}}
event:
  id: event_id
  time: event_time
  key: card
  fields:
    {{event_id: string, event_time: timestamp, card: string, amount: "decimal(12,2)",
    holder: {{type: string, personal: true}}}}
features:
  rows: {{amount_eur: amount}}
  windows: [{{entity: card, windows: [1h], count: true}}]
outcomes: {{sources: {{analyst: 24h, chargeback: 3d}}}}
decision: {{costs: {{amount: amount, review: 4, false_decline: 15}}}}
training: {{schedule: "0 3 * * *"}}
"""


def write_pipeline(folder: Path, name: str, aggregates: str = "count: true") -> Path:
    """The pipeline file; ``aggregates`` are counted by card."""
    path = folder / "pipeline.yaml"
    path.write_text(PIPELINE.format(name=name).replace("count: true", aggregates), encoding="utf-8")
    return path


@pytest.fixture
def config(tmp_path: Path, unique: str) -> Path:
    return write_pipeline(tmp_path, unique)


@pytest.fixture
def pipeline(config: Path) -> Pipeline:
    return load_pipeline(config)


@pytest.fixture
def bootstrap(request: pytest.FixtureRequest, pipeline: Pipeline) -> str:
    """The embedded broker; Apache Kafka for a test that is marked so."""
    real = request.node.get_closest_marker("kafka")
    broker: Broker = request.getfixturevalue("apache_kafka" if real else "embedded_broker")
    ensure_topics(broker.bootstrap, pipeline_topics(pipeline))
    return broker.bootstrap


@pytest.fixture
def new_parts(
    config: Path, pipeline: Pipeline, bootstrap: str, tmp_path: Path
) -> Iterator[Callable[..., Parts]]:
    """Make the parts of a keeper that has just started; the store of the one before is closed first."""
    opened: list[Parts] = []

    def close_all() -> None:
        while opened:
            close_parts(opened.pop())

    def start(declared: Pipeline = pipeline) -> Parts:
        close_all()
        parts = open_parts(config, declared, bootstrap, tmp_path)
        opened.append(parts)
        return parts

    yield start
    close_all()


@pytest.fixture
def start(new_parts: Callable[..., Parts], pipeline: Pipeline) -> Iterator[Callable[..., Running]]:
    """Start sink and sender as a fresh process would; what those before left open on Kafka stays open."""
    running: list[Running] = []

    def begin(declared: Pipeline = pipeline) -> Running:
        if running:
            running[-1].sink.close()
        running.append(Running(new_parts(declared)))
        return running[-1]

    yield begin
    if running:
        running[-1].sink.close()
    for each in running:
        each.sender.close()
