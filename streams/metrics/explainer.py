"""What an explainer tells about itself, per turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.metrics import definitions as d
from streams.metrics.health import Health
from streams.metrics.registry import PartitionGauge, counter, new_registry

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExplainerMetrics:
    """The metrics of one explainer; used by its main thread, read by the server's."""

    def __init__(self, pipeline: str, slot: int) -> None:
        self.registry = registry = new_registry(pipeline, f"explainer-{slot}")
        self.health = Health()
        self._explained = counter(d.EXPLANATIONS, registry)
        self._unexplained = counter(d.UNEXPLAINED, registry)
        self._aborts = counter(d.EXPLAINER_ABORTS, registry)
        self._lag = PartitionGauge(d.EXPLAINER_LAG, registry)

    def turn(self, explained: int, unexplained: int) -> None:
        """One committed turn."""
        self._explained.inc(explained)
        self._unexplained.inc(unexplained)

    def aborted(self) -> None:
        """A turn was rolled back."""
        self._aborts.inc()

    def stand(self, lag: Mapping[int, int]) -> None:
        """Partition held -> messages that wait."""
        self._lag.set(lag)
