"""What the monitor tells: its own status, as metrics; looked up when Prometheus asks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from streams.metrics import definitions as d
from streams.metrics.registry import new_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Status = dict[str, Any]
    """What the monitor says of itself at ``/status.json``."""
    Sample = tuple[d.Definition, tuple[str, ...], float | None]

_STATES = ("stable", "between", "drift", "missing", "ignored", "too_little")


class MonitorMetrics(Collector):
    """The metrics of one monitor. A figure that nothing defines yet is not told."""

    CONTENT_TYPE = "text/plain; version=0.0.4"

    def __init__(self, pipeline: str, status: Callable[[], Status]) -> None:
        self._status = status
        self._registry = new_registry(pipeline, "monitor")
        self._registry.register(self)

    def text(self) -> bytes:
        """The metrics as they are now, in Prometheus's own format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing is looked up to register."""
        return ()

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """What Prometheus is told."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for definition, labels, value in _samples(self._status()):
            if value is None:
                continue
            if definition.name not in families:
                kind = CounterMetricFamily if definition.kind is d.Kind.COUNTER else GaugeMetricFamily
                families[definition.name] = kind(
                    definition.name, definition.meaning, labels=definition.labels
                )
            families[definition.name].add_metric(labels, value)
        yield from families.values()


def _samples(status: Status) -> Iterator[Sample]:
    yield d.CAUGHT_UP, (), float(status["caught_up"])
    yield d.MONITORED, (), status["events"]
    for label in ("fraud", "legitimate"):
        yield d.OUTCOMES, (label,), status["outcomes"][label]
    for what, count in status["problems"].items():
        yield d.PROBLEMS, (what,), count
    quality = status["quality"]["total"]
    yield d.LABELLED, ("fraud",), quality["frauds"]
    yield d.LABELLED, ("legitimate",), quality["labelled"] - quality["frauds"]
    yield d.PRECISION, (), quality["precision"]
    yield d.RECALL, (), quality["recall"]
    yield from _drift(status["drift"])
    for shadow in status["agreement"]:
        yield d.AGREEMENT, (shadow["shadow"],), shadow["overlap"]
    yield d.SILENCE, (), status["freshness"]["silence"]["for_s"]
    yield d.STUCK, (), status["freshness"]["behind"]["for_s"]


def _drift(drift: Status) -> Iterator[Sample]:
    features, score = drift["features"], drift["score"]
    for feature in features:
        yield d.DRIFT_PSI, (feature["name"],), feature["psi"]
        yield d.MISSING, (feature["name"],), feature["missing"]
    states = dict.fromkeys(_STATES, 0) | Counter(feature["state"] for feature in features)
    for state, count in states.items():
        yield d.DRIFTED, (state,), count
    yield d.SCORE_PSI, (), None if score is None else score["psi"]
