"""The part of the monitor's /status.json that pages show; docs/reference/monitor.md says what each means.

What an older monitor does not tell is None or empty.
"""

from __future__ import annotations

import msgspec


class Percentiles(msgspec.Struct, frozen=True):
    """Latency in ms; None while nothing was counted."""

    count: int
    p50: float | None
    p99: float | None
    p999: float | None


class Latency(msgspec.Struct, frozen=True):
    """From Kafka's record time of the event to that of its decision."""

    total: Percentiles
    last_minute: Percentiles


class Rate(msgspec.Struct, frozen=True):
    """Decisions a second, in all and by action."""

    events_per_s: float
    actions_per_s: dict[str, float]

    def share(self, *actions: str) -> float | None:
        """The share of decisions that were one of ``actions``."""
        if not self.events_per_s:
            return None
        return sum(self.actions_per_s.get(action, 0.0) for action in actions) / self.events_per_s


class Rates(msgspec.Struct, frozen=True):
    """By the wall's last minute, and by the last hour of arrivals."""

    wall: Rate
    stream: Rate


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """One feature, or the score, now against when the champion was fitted."""

    name: str = "score"
    state: str
    psi: float | None
    p_value: float | None = None
    missing: float | None = None
    missing_reference: float | None = None
    usual: float = 0.0
    n: int
    edges: list[float]
    reference_shares: list[float]
    shares: list[float]


class Drift(msgspec.Struct, frozen=True):
    """Against ``reference``, a model version; ``why`` says what keeps it from being known."""

    reference: str | None
    state: str = ""
    why: str | None = None
    features: list[Spread] = []
    score: Spread | None = None

    def of(self, name: str) -> Spread | None:
        """What is known of one feature."""
        return next((each for each in self.features if each.name == name), None)


class ActionShare(msgspec.Struct, frozen=True):
    """How often an action was taken lately, and in the week before."""

    share: float | None
    usual: float | None
    state: str


class ActionRates(msgspec.Struct, frozen=True):
    """By action."""

    actions: dict[str, ActionShare] = {}


class Agreement(msgspec.Struct, frozen=True):
    """Of what is stopped, the share that a shadow would stop, too."""

    shadow: str
    state: str
    overlap: float | None = None


class Silence(msgspec.Struct, frozen=True):
    """How long there was no decision."""

    state: str
    for_s: float | None


class Behind(msgspec.Struct, frozen=True):
    """Events that wait."""

    state: str
    waiting: int | None


class Freshness(msgspec.Struct, frozen=True):
    """Whether events come, and are decided."""

    silence: Silence
    behind: Behind


class Judged(msgspec.Struct, frozen=True):
    """Decisions whose truth is known: how much of what was stopped was fraud, and the other way round."""

    labelled: int
    precision: float | None
    recall: float | None


class Quality(msgspec.Struct, frozen=True):
    """How good decisions were, as labels mature."""

    pending: int
    total: Judged


class MonitorFigures(msgspec.Struct, frozen=True):
    """What the monitor tells."""

    events: int
    caught_up: bool
    rates: Rates
    latency_ms: Latency
    quality: Quality
    drift: Drift | None = None
    action_rates: ActionRates | None = None
    agreement: list[Agreement] = []
    freshness: Freshness | None = None
