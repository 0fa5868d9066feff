"""Training: when, with what, and what stands before the gate."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone; expected for example UTC or Europe/Berlin")
    return name


class GateSpec(Declared):
    """What a challenger must show before it acts."""

    average_precision_tolerance: float = Field(
        default=0.01, ge=0, description="it may be this much below the champion's"
    )
    min_frauds: int = Field(default=20, gt=0, description="fewer in the judged days: refused")


class TrainingSpec(Declared):
    """The nightly retraining."""

    schedule: str = Field(default="0 3 * * *", description="cron: minute hour day month weekday")
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="UTC", description="of the schedule, for example Europe/Berlin"
    )
    algorithm: Literal["lightgbm", "xgboost"] = Field(default="lightgbm", description="the library that fits")
    judged: Duration = Field(
        default=86_400_000_000, description="the newest matured stretch, kept out of the fit"
    )
    gap: Duration = Field(default=0, description="left out between what is fitted and what is judged")
    history: Duration = Field(default=7_776_000_000_000, description="how far back the training set reaches")
    min_events: int = Field(default=1_000, gt=0, description="fewer to fit on: refused")
    min_frauds: int = Field(default=30, gt=0, description="fewer to fit on: refused")
    parameters: dict[str, float | int | str | bool] = Field(
        default_factory=dict, description="passed to the library as they stand"
    )
    seed: int = Field(default=7, description="of the fit and of the gate's resamples")
    time_limit: Duration = Field(default=3_600_000_000, description="a longer run is stopped")
    gate: GateSpec = GateSpec()

    @property
    def zone(self) -> ZoneInfo:
        """The schedule's time zone."""
        return ZoneInfo(self.time_zone)
