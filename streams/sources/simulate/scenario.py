"""What a simulation is made of; the same scenario always gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from feature_store.errors import ConfigError
from feature_store.units import to_micros

DAY_US = 86_400_000_000
_SHARES = ("fraud_share", "duplicate_share", "garbage_share", "late_share")
_MOST_FRAUD = 0.2
_MOST_DRIFT = 1_000.0


@dataclass(frozen=True)
class Scenario:
    """A stretch of simulated payments.

    ``events_per_day`` is the mean of a week; shares are of events. ``duplicate_share`` are sent again
    with the same bytes, ``garbage_share`` are broken messages on top, ``late_share`` arrive seconds to
    minutes after their event time. From ``new_pattern_day`` on there is a fraud pattern that was not
    seen before. Raises ConfigError for values that make no stream.
    """

    days: int = 7
    events_per_day: int = 20_000
    customers: int = 5_000
    terminals: int = 2_000
    seed: int = 7
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    fraud_share: float = 0.012
    duplicate_share: float = 0.0005
    garbage_share: float = 0.0002
    late_share: float = 0.01
    new_pattern_day: int = 5
    drift_day: int | None = None
    drift_factor: float = 2.5

    def __post_init__(self) -> None:
        for name, least in (
            ("days", 1), ("events_per_day", 1), ("customers", 1), ("terminals", 100), ("seed", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least} (found {getattr(self, name)})")
        for name in _SHARES:
            most = _MOST_FRAUD if name == "fraud_share" else 1.0
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} must be between 0 and {most:g} (found {getattr(self, name)})")
        if not 0 < self.drift_factor < _MOST_DRIFT:
            raise ConfigError(f"drift_factor must be above 0 and below {_MOST_DRIFT:g}")
        if self.start.tzinfo is None:
            raise ConfigError("start needs a UTC offset, for example 2026-01-05T00:00:00Z")

    @property
    def start_us(self) -> int:
        """The first instant, in whole milliseconds, as us since 1970 UTC."""
        return to_micros(self.start) // 1_000 * 1_000

    def prices(self, day: int) -> float:
        """What everybody pays on ``day``, as a multiple of what they paid on the first."""
        return self.drift_factor if self.drift_day is not None and day >= self.drift_day else 1.0

    @property
    def expected_events(self) -> int:
        """About how many records the events topic will get; the exact number is known when it has run."""
        return round(
            self.days
            * self.events_per_day
            * (1 + self.fraud_share + self.duplicate_share + self.garbage_share)
        )
