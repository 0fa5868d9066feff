"""Monitoring: what is worth an alert, and where alerts go."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from feature_store.declaration.base import Declared
from feature_store.units import Duration


class DriftSpec(Declared):
    """When events, or the champion's scores of them, are no longer like those that it was fitted on.

    Far enough *and* beyond chance: docs/discussions/drift.md.
    """

    window: Duration = Field(
        default=86_400_000_000,
        gt=0,
        description="the newest events that are looked at; whole days, else every night is drift",
    )
    psi: float = Field(
        default=0.25, gt=0, description="population stability index from which on a feature has drifted"
    )
    clear: float = Field(default=0.1, ge=0, description="PSI from which on downwards it has no longer")
    missing: float = Field(
        default=0.1, gt=0, le=1, description="change of the missing share that is worth an alert of its own"
    )
    significance: float = Field(
        default=0.001, gt=0, lt=0.5, description="share of false alarms among features beyond chance"
    )
    least: int = Field(default=1_000, gt=0, description="events in the window; fewer say nothing")
    ignore: tuple[str, ...] = Field(
        default=(), description="features that may move; those of the event's time alone always may"
    )

    @model_validator(mode="after")
    def _clears_below(self) -> Self:
        if self.clear >= self.psi:
            raise ValueError(f"clear: {self.clear:g} must be below psi ({self.psi:g}), or alerts flap")
        return self


class ActionRateSpec(Declared):
    """When far more events, or far fewer, are stopped than in the week before."""

    window: Duration = Field(default=86_400_000_000, gt=0, description="compared with the seven before it")
    factor: float | None = Field(
        default=2.0, gt=1, description="so many times the share, or one part in so many; null: no alert"
    )
    least: int = Field(
        default=50, gt=0, description="stopped events that the window or a usual one must have"
    )


class AgreementSpec(Declared):
    """When a shadow would stop other events than the champion."""

    overlap: float | None = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="of the events that the champion scores highest, as many as are stopped, the share that "
        "the shadow scores highest, too; below it an alert is raised; null: none",
    )
    least: int = Field(default=200, gt=0, description="stopped events that were scored by both")


class FreshnessSpec(Declared):
    """When nothing comes, or what comes is not decided; in real time."""

    silence: Duration | None = Field(
        default=600_000_000,
        gt=0,
        description="no decision for so long, although there would have been twenty at least by the "
        "traffic of the week before at that hour; null: no alert; never on the stream clock",
    )
    behind: Duration | None = Field(
        default=300_000_000,
        gt=0,
        description="events wait and none was decided for so long, on some partition; null: no alert",
    )


class MonitoringSpec(Declared):
    """How the monitor looks, and whom it tells."""

    every: Duration = Field(
        default=60_000_000, gt=0, description="how often is looked, in the pipeline's clock"
    )
    raise_after: int = Field(default=3, ge=1, description="looks in a row that must find it before an alert")
    clear_after: int = Field(
        default=10, ge=1, description="looks in a row that must find it gone before the alert is cleared"
    )
    webhook: str = Field(
        default="",
        description="every message of the alerts topic is sent here, as JSON by POST; take it from the "
        "environment: ${NAME}",
    )
    drift: DriftSpec = DriftSpec()
    actions: ActionRateSpec = ActionRateSpec()
    agreement: AgreementSpec = AgreementSpec()
    freshness: FreshnessSpec = FreshnessSpec()

    @field_validator("webhook")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("expected an address that begins with https:// or http://")
        return value

    def check_against(self, features: set[str]) -> None:
        """Raises ValueError for a feature that is not declared."""
        for name in self.drift.ignore:
            if name not in features:
                raise ValueError(f"monitoring.drift.ignore: {name!r} is not a declared feature")
