"""A histogram that takes a whole batch at once."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import CollectorRegistry

    from streams.metrics.definitions import Definition

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


class Histogram(Collector):
    """Counts between bounds, per value of its one label (or of none).

    One thread observes. Another may collect meanwhile: a figure may be of the step that is just being told.
    """

    def __init__(
        self, definition: Definition, registry: CollectorRegistry | None = None, of: Sequence[str] = ("",)
    ) -> None:
        """``of``: every value that the label can have."""
        self._definition = definition
        self._bounds = definition.bounds
        self._edges = np.array(definition.bounds)
        self._counts: dict[str, list[int]] = {label: [0] * (len(self._bounds) + 1) for label in of}
        self._sums = dict.fromkeys(of, 0.0)
        if registry is not None:
            registry.register(self)

    def observe(self, value: float, label: str = "") -> None:
        """One value."""
        self._counts[label][bisect_left(self._bounds, value)] += 1
        self._sums[label] += value

    def observe_all(self, values: Floats, label: str = "") -> None:
        """A batch of values; what is not a number is not counted."""
        values = values[np.isfinite(values)]
        found = np.bincount(np.searchsorted(self._edges, values), minlength=len(self._bounds) + 1)
        counts = self._counts[label]
        for place in np.flatnonzero(found).tolist():
            counts[place] += int(found[place])
        self._sums[label] += float(values.sum())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What Prometheus is told."""
        name, meaning, labels = self._definition.name, self._definition.meaning, self._definition.labels
        family = HistogramMetricFamily(name, meaning, labels=labels)
        for label, counts in self._counts.items():
            family.add_metric([label] if labels else [], list(self._cumulated(counts)), self._sums[label])
        yield family

    def _cumulated(self, counts: list[int]) -> Iterator[tuple[str, float]]:
        reached = 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), list(counts), strict=True):
            reached += count
            yield bound, reached
