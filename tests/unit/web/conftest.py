"""A small pipeline with personal data, and people in their roles before its console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.web.visitor import Role
from tests.support.web import Person, a_desk, let_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.broker import Broker
    from training.keeper.desk import Desk

PIPELINE = """
pipeline: {name}
clock: stream
topics: {{events: {name}.events, decisions: {name}.decisions, outcomes: {name}.outcomes,
  features: {name}.features, models: {name}.models, dead_letters: {name}.dead, alerts: {name}.alerts,
  entity_outcomes: {name}.entity-outcomes, policy: {name}.policy, explanations: {name}.explanations,
  partitions: 2}}
event:
  id: event_id
  time: event_time
  key: card
  fields:
    {{event_id: string, event_time: timestamp, card: {{type: string, passthrough: true}},
    amount: {{type: "decimal(12,2)", passthrough: true}},
    holder: {{type: string, personal: true, passthrough: true}}}}
features:
  rows: {{amount_eur: amount}}
  windows: [{{entity: card, windows: [1h], count: true}}]
outcomes: {{sources: {{analyst: 24h, chargeback: 3d}}}}
decision: {{costs: {{amount: amount, review: 4, false_decline: 15}}}}
training: {{schedule: "0 3 * * *"}}
"""


@pytest.fixture
def desk(tmp_path: Path, unique: str, embedded_broker: Broker) -> Iterator[Desk]:
    """The desk of a keeper that has stored nothing yet."""
    config = tmp_path / "pipeline.yaml"
    config.write_text(PIPELINE.format(name=unique), encoding="utf-8")
    with a_desk(config, embedded_broker.bootstrap, tmp_path) as found:
        yield found


@pytest.fixture
def operator(desk: Desk) -> Person:
    """An operator who is logged in."""
    return let_in(desk)


@pytest.fixture
def analyst(desk: Desk) -> Person:
    """An analyst who is logged in."""
    return let_in(desk, Role.ANALYST)


@pytest.fixture
def viewer(desk: Desk) -> Person:
    """A viewer who is logged in."""
    return let_in(desk, Role.VIEWER)
