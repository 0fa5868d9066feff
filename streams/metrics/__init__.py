"""The one door to Prometheus: what the processes count, and where it can be read."""

from __future__ import annotations

from streams.metrics.definitions import Stage
from streams.metrics.explainer import ExplainerMetrics
from streams.metrics.health import Health
from streams.metrics.keeper import KeeperMetrics, KeeperStanding
from streams.metrics.monitor import MonitorMetrics
from streams.metrics.scorer import ScorerMetrics, Stages, Standing
from streams.metrics.server import EXPLAINERS_FROM, Listen, listen_at, serving_metrics

__all__ = [
    "EXPLAINERS_FROM",
    "ExplainerMetrics",
    "Health",
    "KeeperMetrics",
    "KeeperStanding",
    "Listen",
    "MonitorMetrics",
    "ScorerMetrics",
    "Stage",
    "Stages",
    "Standing",
    "listen_at",
    "serving_metrics",
]
