"""Release: how a challenger that passed the gate comes to act, and what takes a champion back."""

from __future__ import annotations

from pydantic import Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration


class ShadowStage(Declared):
    """Score beside the champion first."""

    stays: Duration = Field(default=0, ge=0, description="how long at least; 0s: this stage is left out")
    min_frauds: int = Field(
        default=20,
        gt=0,
        description="matured frauds that both must have scored before anything is said of who is better",
    )


class CanaryStage(Declared):
    """Act for some entities first."""

    stays: Duration = Field(
        default=0,
        ge=0,
        description="how long at least, and for rollback.least events; 0s: this stage is left out",
    )
    share: float = Field(
        default=0.1, gt=0, lt=1, description="of the entities of the partition key, always the same ones"
    )


class RollbackSpec(Declared):
    """Alarms that end a canary, or return to the champion before; each is off where it is null."""

    window: Duration = Field(
        default=900_000_000,
        gt=0,
        description="of the newest events that are looked at; longer where these are fewer than least",
    )
    least: int = Field(
        default=500, gt=0, description="events that a version must have decided; fewer say nothing"
    )
    failures: float | None = Field(
        default=0.01, gt=0, le=1, description="share of its events that the model gave no score for"
    )
    latency: Duration | None = Field(
        default=None, gt=0, description="99th percentile from arrival to decision"
    )
    score_shift: float | None = Field(
        default=1.0,
        gt=0,
        description="population stability index of its scores against the judged ones, unless the one "
        "before has shifted as far on the same events",
    )
    precision_drop: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="average precision on the matured events that it decided, below what the champion "
        "before would have had on them",
    )


class ReleaseSpec(Declared):
    """From the gate to the champion, by stages."""

    shadow: ShadowStage = ShadowStage()
    canary: CanaryStage = CanaryStage()
    rollback: RollbackSpec = RollbackSpec()
