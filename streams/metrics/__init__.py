"""The one door to Prometheus: what the processes count, and where it can be read."""

from __future__ import annotations

from streams.metrics.definitions import Stage
from streams.metrics.keeper import KeeperMetrics, KeeperStanding
from streams.metrics.scorer import ScorerMetrics, Stages, Standing
from streams.metrics.server import Listen, listen_at, serving_metrics

__all__ = [
    "KeeperMetrics",
    "KeeperStanding",
    "Listen",
    "ScorerMetrics",
    "Stage",
    "Stages",
    "Standing",
    "listen_at",
    "serving_metrics",
]
