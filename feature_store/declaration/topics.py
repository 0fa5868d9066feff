"""Names and sizes of the topics; names are settings, these are the defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration

if TYPE_CHECKING:
    from feature_store.declaration.stages import Stage


class TopicNames(Declared):
    """Every topic of a pipeline."""

    events: str = Field(default="events", description="in: what is decided")
    decisions: str = Field(default="decisions", description="out: one per event")
    outcomes: str = Field(default="outcomes", description="in: the truth, later")
    features: str = Field(default="features", description="the feature log, in Arrow")
    entity_outcomes: str = Field(
        default="entity-outcomes", description="outcomes on their way into features; partitioned as events"
    )
    models: str = Field(
        default="models", description="versions and the release record; compacted, one partition"
    )
    policy: str = Field(default="policy", description="rules, lists, thresholds; compacted, one partition")
    explanations: str = Field(default="explanations", description="exact reasons, after the decision")
    dead_letters: str = Field(default="dead-letters", description="what was refused, and why")
    stages: str = Field(
        default="stages", description="beginning of the names of what passes between stages: stages-1-FIELD"
    )
    alerts: str = Field(default="alerts", description="what a person should know; one partition")
    partitions: int = Field(default=4, gt=0, le=10_000, description="of events and what follows them")
    replication: int | None = Field(
        default=None,
        gt=0,
        description="copies of each partition; left out, 3 where there are as many brokers, else one on each",
    )
    retention: Duration = Field(
        default=1_209_600_000_000,
        description="of all but models, policy; without a snapshot state is rebuilt from within it",
    )

    def between(self, stage: Stage) -> str:
        """What a stage reads: the events, as the stage before has sent them on."""
        return self.events if stage.number == 0 else f"{self.stages}-{stage.name}"

    def outcomes_of(self, stage: Stage) -> str:
        """Where a stage that counts outcomes learns of them, keyed as its input."""
        return self.entity_outcomes if stage.last else f"{self.stages}-{stage.name}-outcomes"

    def log_of(self, stage: Stage) -> str:
        """What a stage writes down, so that its state can be rebuilt: the last one the feature log."""
        return self.features if stage.last else f"{self.stages}-{stage.name}-log"
