"""What a scorer tells about itself: per step and per second, never per event."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.metrics import definitions as d
from streams.metrics.health import Health
from streams.metrics.histogram import Histogram
from streams.metrics.registry import PartitionGauge, counter, gauge, new_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

_STANDING_S = 1.0


class Standing(NamedTuple):
    """How a scorer stands between two steps."""

    lag: Mapping[int, int]
    """Partition held -> records that wait."""
    epoch: int
    policy_offset: int
    model: str | None
    engine: str | None
    entities: int
    state_bytes: int
    ids: int


class _Timer(AbstractContextManager[None]):
    """Times its block into one stage; entered by one thread, not within itself."""

    __slots__ = ("_began", "_histogram", "_label")

    def __init__(self, histogram: Histogram, stage: d.Stage) -> None:
        self._histogram = histogram
        self._label = stage.value
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._histogram.observe(time.perf_counter() - self._began, self._label)


class Stages:
    """A stopwatch for each stage of a step."""

    def __init__(self, histogram: Histogram | None = None) -> None:
        """Without a ``histogram`` nobody is told."""
        histogram = histogram or Histogram(d.STEP_SECONDS, of=tuple(d.Stage))
        self._timers = {stage: _Timer(histogram, stage) for stage in d.Stage}

    def stage(self, stage: d.Stage) -> AbstractContextManager[None]:
        """Time the block as a part of ``stage``; a step may enter a stage once."""
        return self._timers[stage]


class ScorerMetrics:
    """The metrics of one scorer; used by its main thread, read by the server's."""

    def __init__(self, pipeline: str, slot: int) -> None:
        self.registry = registry = new_registry(pipeline, f"scorer-{slot}")
        self.health = Health()
        self._records = counter(d.RECORDS, registry)
        self._decisions = counter(d.DECISIONS, registry)
        self._dead_letters = counter(d.DEAD_LETTERS, registry)
        self._duplicates = counter(d.DUPLICATES, registry)
        self._fallbacks = counter(d.FALLBACKS, registry)
        self._steps = counter(d.STEPS, registry)
        self._aborts = counter(d.ABORTS, registry)
        self._batches = Histogram(d.BATCH_RECORDS, registry)
        self._latency = Histogram(d.LATENCY, registry)
        self.stages = Stages(Histogram(d.STEP_SECONDS, registry, tuple(d.Stage)))
        """For whoever does a stage's work."""
        self._partitions = gauge(d.PARTITIONS, registry)
        self._lag = PartitionGauge(d.LAG, registry)
        self._entities = gauge(d.STATE_ENTITIES, registry)
        self._bytes = gauge(d.STATE_BYTES, registry)
        self._ids = gauge(d.STATE_IDS, registry)
        self._epoch = gauge(d.EPOCH, registry)
        self._policy = gauge(d.POLICY_OFFSET, registry)
        self._model = gauge(d.MODEL, registry)
        self._swaps = counter(d.SWAPS, registry)
        for what in ("release", "policy"):
            self._swaps.labels(what)
        self._last: Standing | None = None
        self._due = 0.0

    def stage(self, stage: d.Stage) -> AbstractContextManager[None]:
        """Time the block as a part of ``stage``."""
        return self.stages.stage(stage)

    def step(
        self,
        record_times_ms: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int64]],
        actions: Mapping[str, int],
        refused: Iterable[str],
        duplicates: int,
        fallbacks: Mapping[str, int],
    ) -> None:
        """One committed step: its records' times on Kafka, decisions by action, dead letters' reasons."""
        latencies = time.time() - np.asarray(record_times_ms, np.float64) / 1e3
        self._latency.observe_all(np.maximum(latencies, 0.0))  # a producer's clock may be ahead
        self._steps.inc()
        self._records.inc(len(latencies))
        self._batches.observe(len(latencies))
        self._duplicates.inc(duplicates)
        for action, count in actions.items():
            self._decisions.labels(action).inc(count)
        for reason, count in Counter(refused).items():
            self._dead_letters.labels(reason).inc(count)
        for reason, count in fallbacks.items():
            self._fallbacks.labels(reason).inc(count)

    def aborted(self) -> None:
        """A step was rolled back."""
        self._aborts.inc()

    def wants_standing(self) -> bool:
        """Whether it is time for ``stand``: once a second."""
        return time.monotonic() >= self._due

    def stand(self, now: Standing) -> None:
        """How the scorer stands; what changed since the last time counts as a swap."""
        self._due = time.monotonic() + _STANDING_S
        self._partitions.set(len(now.lag))
        self._lag.set(now.lag)
        self._entities.set(now.entities)
        self._bytes.set(now.state_bytes)
        self._ids.set(now.ids)
        self._epoch.set(now.epoch)
        self._policy.set(now.policy_offset)
        before, self._last = self._last, now
        if before is None or (before.model, before.engine) != (now.model, now.engine):
            self._model.clear()
            self._model.labels(now.model or "", now.engine or "").set(1)
        if before is not None:
            self._swaps.labels("release").inc(now.epoch != before.epoch)
            self._swaps.labels("policy").inc(now.policy_offset != before.policy_offset)
