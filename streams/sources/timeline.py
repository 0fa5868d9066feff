"""What every source of records emits, and how fast it is let out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

Role = Literal["events", "outcomes"]


class Emission(NamedTuple):
    """One record to send. Sources emit them in order of ``arrival_us`` (us since 1970 UTC)."""

    arrival_us: int
    role: Role
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Pace:
    """How fast emissions go out: at most one of both; neither means as fast as Kafka takes them.

    ``rate`` is records of the events topic per second, ``speed`` is stream seconds per real second.
    """

    rate: float | None = None
    speed: float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and self.speed is not None:
            raise ConfigError("rate and speed exclude each other; give one of them, or neither")
        for name, value in (("rate", self.rate), ("speed", self.speed)):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"{name} must be a number above 0 (found {value})")


@dataclass(frozen=True)
class Published:
    """What has been sent: records per topic, bytes of keys and values, and the newest arrival.

    ``end_offsets`` is, per partition of the events topic, the offset after the newest acknowledged record:
    everything that was sent stands below it, so a reader that comes late knows where a run ends.
    """

    events: int = 0
    outcomes: int = 0
    bytes: int = 0
    last_arrival_us: int = 0
    end_offsets: dict[int, int] = field(default_factory=dict)


def limited(emissions: Iterator[Emission], limit: int | None) -> Iterator[Emission]:
    """The emissions before event number ``limit`` + 1; all of them without a limit."""
    events = 0
    for emission in emissions:
        if emission.role == "events":
            if events == limit:
                return
            events += 1
        yield emission
