"""Names and sizes of the topics; names are settings, these are the defaults."""

from __future__ import annotations

from pydantic import Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration


class TopicNames(Declared):
    """Every topic of a pipeline."""

    events: str = "events"
    decisions: str = "decisions"
    outcomes: str = "outcomes"
    features: str = "features"
    models: str = "models"
    dead_letters: str = "dead-letters"
    alerts: str = "alerts"
    partitions: int = Field(default=4, gt=0, le=10_000, description="of events and what follows them")
    replication: int = Field(default=1, gt=0)
    retention: Duration = Field(
        default=604_800_000_000,
        description="of all but models; state must be rebuilt from within it",
    )
