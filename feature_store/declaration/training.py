"""Training: when, with what, and what stands before the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from feature_store.declaration.artifacts import ArtifactSpec
from feature_store.declaration.backtest import BacktestSpec
from feature_store.declaration.base import Declared
from feature_store.declaration.fitting import (
    CalibrationChoice,
    CompactionSpec,
    Monotone,
    SamplingSpec,
    TuningSpec,
)
from feature_store.declaration.gate import GateSpec
from feature_store.declaration.release import ReleaseSpec
from feature_store.declaration.serving import Device
from feature_store.declaration.sink import SinkSpec
from feature_store.declaration.triggers import TriggerSpec
from feature_store.units import Duration

if TYPE_CHECKING:
    from collections.abc import Collection


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone; expected for example UTC or Europe/Berlin")
    return name


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
    monotone: dict[str, Monotone] = Field(
        default_factory=dict, description="feature -> the direction in which it may move the score"
    )
    categorical: tuple[str, ...] = Field(
        default=(), description="features whose numbers are names: split by sets, not by order"
    )
    device: Device = Field(
        default="auto",
        description="where XGBoost grows trees: auto takes a GPU where there is one; LightGBM has the CPU",
    )
    store_memory_mb: int = Field(
        default=2_048,
        ge=256,
        description="MiB that the keeper's database takes at most; what it keeps of its file in memory grows "
        "to that, and larger work goes through files beside it",
    )
    warm_start: bool = Field(default=False, description="begin with the champion's trees")
    calibration: CalibrationChoice = Field(
        default="auto", description="from margin to probability; auto: what does best on later events"
    )
    sampling: SamplingSpec = SamplingSpec()
    tuning: TuningSpec = TuningSpec()
    compaction: CompactionSpec = CompactionSpec()
    gate: GateSpec = GateSpec()
    release: ReleaseSpec = ReleaseSpec()
    triggers: TriggerSpec = TriggerSpec()
    artifacts: ArtifactSpec = ArtifactSpec()
    backtest: BacktestSpec = BacktestSpec()
    sink: SinkSpec = SinkSpec()

    def check_against(self, features: Collection[str]) -> None:
        """Raises ValueError where a key names what is no feature, or asks for what cannot be had together."""
        named = {"monotone": self.monotone, "categorical": self.categorical}
        for key, names in named.items():
            for name in names:
                if name not in features:
                    raise ValueError(f"training.{key}: {name!r} is not a declared feature")
        for name in self.categorical:
            if name in self.monotone:
                raise ValueError(
                    f"training.monotone: {name!r} is categorical: its numbers are names and have no direction"
                )
        if self.tuning.budget >= self.time_limit:
            raise ValueError(
                "training.tuning.budget: must be shorter than training.time_limit, which ends the run"
            )
        if self.device == "cuda" and self.algorithm != "xgboost":
            raise ValueError(
                f"training.device: {self.algorithm} is fitted on the CPU; set device: auto or cpu, or "
                "training.algorithm: xgboost"
            )

    @property
    def zone(self) -> ZoneInfo:
        """The schedule's time zone."""
        return ZoneInfo(self.time_zone)
