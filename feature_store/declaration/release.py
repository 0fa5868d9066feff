"""Release: how a challenger that passed the gate comes to act, and what takes a champion back."""

from __future__ import annotations

from pydantic import Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration


class ShadowStage(Declared):
    """Score beside the champion first."""

    stays: Duration = Field(default=0, ge=0, description="how long at least; 0s: this stage is left out")
    min_frauds: int = Field(default=20, gt=0, description="matured frauds that both must have scored")


class CanaryStage(Declared):
    """Act for some entities first."""

    stays: Duration = Field(default=0, ge=0, description="how long at least; 0s: this stage is left out")
    share: float = Field(default=0.1, gt=0, lt=1, description="of the entities of the partition key")


class RollbackSpec(Declared):
    """Alarms that return to the champion before; each is off where it is null."""

    window: Duration = Field(default=900_000_000, gt=0, description="of the newest events that are looked at")
    least: int = Field(default=500, gt=0, description="events within it: fewer say nothing")
    failures: float | None = Field(
        default=0.01, gt=0, le=1, description="share of events that the model failed on"
    )
    latency: Duration | None = Field(
        default=None, gt=0, description="99th percentile from arrival to decision"
    )
    score_shift: float | None = Field(
        default=0.5, gt=0, description="population stability index of the scores against the judged ones"
    )
    precision_drop: float | None = Field(
        default=None, gt=0, le=1, description="average precision on matured labels below the one it replaced"
    )


class ReleaseSpec(Declared):
    """From the gate to the champion, by stages."""

    shadow: ShadowStage = ShadowStage()
    canary: CanaryStage = CanaryStage()
    rollback: RollbackSpec = RollbackSpec()
