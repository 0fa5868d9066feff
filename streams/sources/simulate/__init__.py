"""A payment stream that could be real: habits, journeys, five kinds of fraud, and truth that comes late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import ConfigError
from streams.sources.simulate.parquet import write_parquet
from streams.sources.simulate.scenario import Scenario
from streams.sources.simulate.stream import simulate
from streams.sources.simulate.wording import FIELDS

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

__all__ = ["Scenario", "check_fields", "simulate", "write_parquet"]


def check_fields(pipeline: Pipeline) -> None:
    """Raise ConfigError where ``pipeline`` needs an event that the simulation does not make."""
    event = pipeline.event
    lacking = [name for name, spec in event.fields.items() if spec.required and name not in FIELDS]
    if lacking:
        raise ConfigError(
            f"pipeline {pipeline.name!r} requires {', '.join(lacking)}, which simulate does not make; "
            f"it makes {', '.join(FIELDS)}. Replay a file of your own events instead: sluicegate replay FILE"
        )
    if (event.id, event.time, event.key) != ("event_id", "event_time", "customer_id"):
        raise ConfigError(
            f"pipeline {pipeline.name!r}: simulate needs event.id event_id, event.time event_time and "
            f"event.key customer_id (found {event.id}, {event.time}, {event.key})"
        )
