"""What the keeper tells about itself, every few seconds."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from streams.metrics import definitions as d
from streams.metrics.registry import gauge, new_registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Gauge

_MICROSECONDS = 1_000_000


class KeeperStanding(NamedTuple):
    """How the keeper stands. Instants in microseconds since 1970."""

    lag: Mapping[str, int]
    """Topic -> records that are not in the store yet."""
    counts: Mapping[str, int]
    """What the store holds."""
    store_bytes: int
    runs: Mapping[str, int]
    """State -> training runs."""
    training: bool
    next_run: int | None
    now: int
    epoch: int
    scoring: Mapping[str, int] = MappingProxyType({})
    """champion, canary, shadow -> versions that are it."""
    last_runs: Mapping[str, int] = MappingProxyType({})
    """State -> until when the newest run in it reads."""
    run_seconds: float = 0.0
    """Of the newest run that ended, wall time."""


class KeeperMetrics:
    """The metrics of the keeper."""

    def __init__(self, pipeline: str) -> None:
        self.registry = registry = new_registry(pipeline, "keeper")
        self._lag = gauge(d.SINK_LAG, registry)
        self._counts = gauge(d.STORE_COUNTS, registry)
        self._bytes = gauge(d.STORE_BYTES, registry)
        self._runs = gauge(d.RUNS, registry)
        self._training = gauge(d.TRAINING, registry)
        self._last_run = gauge(d.LAST_RUN, registry)
        self._run_seconds = gauge(d.RUN_SECONDS, registry)
        self._next_run = gauge(d.NEXT_RUN, registry)
        self._clock = gauge(d.CLOCK, registry)
        self._epoch = gauge(d.PUBLISHED_EPOCH, registry)
        self._scoring = gauge(d.SCORING, registry)

    def stand(self, now: KeeperStanding) -> None:
        """How the keeper stands."""
        _each(self._lag, now.lag)
        _each(self._counts, now.counts)
        _each(self._runs, now.runs)
        _each(self._scoring, now.scoring)
        self._bytes.set(now.store_bytes)
        self._training.set(now.training)
        for state, at in now.last_runs.items():
            self._last_run.labels(state).set(at / _MICROSECONDS)
        self._run_seconds.set(now.run_seconds)
        self._next_run.set((now.next_run or 0) / _MICROSECONDS)
        self._clock.set(now.now / _MICROSECONDS)
        self._epoch.set(now.epoch)


def _each(found: Gauge, values: Mapping[str, int]) -> None:
    for label, value in values.items():
        found.labels(label).set(value)
