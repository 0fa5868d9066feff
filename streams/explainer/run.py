"""An explainer as a process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from feature_store.declaration.load import load_pipeline
from streams.kafka import group_member
from streams.metrics import EXPLAINERS_FROM, ExplainerMetrics, listen_at, serving_metrics
from streams.scorer.run import stop_on_signals

if TYPE_CHECKING:
    import threading
    from pathlib import Path

_log = structlog.get_logger()


@dataclass(frozen=True)
class ExplainerSettings:
    """What an explainer is told at start; ``slot`` must be its own among the running explainers, and stable.

    ``niceness`` is added to the process's own: explanations can wait, decisions cannot.
    ``metrics_port`` None: as the pipeline file declares; 0: nowhere.
    """

    config: Path
    bootstrap: str
    slot: int = 0
    niceness: int = 0
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"


def run(settings: ExplainerSettings, stop: threading.Event | None = None) -> None:
    """Explain until SIGTERM, SIGINT or ``stop``. Raises SluicegateError when it cannot go on."""
    # Set before the model libraries load: their two OpenMP runtimes would fight over the core.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from streams.explainer.last import last_explained  # noqa: PLC0415
    from streams.explainer.loop import ExplainerLoop  # noqa: PLC0415
    from streams.explainer.models import Models  # noqa: PLC0415
    from streams.explainer.transaction import ExplanationWriter  # noqa: PLC0415

    os.nice(settings.niceness)
    pipeline = load_pipeline(settings.config).deciding
    stop = stop or stop_on_signals()
    identity = f"sluicegate.{pipeline.name}.explainer"
    timeout_ms = pipeline.serving.session_timeout // 1_000
    consumer, producer = group_member(
        settings.bootstrap, identity, settings.slot, session_timeout_ms=timeout_ms
    )
    writer = ExplanationWriter(producer, consumer, pipeline.topics, pipeline.serving.commit_patience / 1e6)
    models = Models(settings.bootstrap, pipeline)
    last = partial(last_explained, settings.bootstrap, consumer, pipeline.topics.explanations)
    metrics = ExplainerMetrics(pipeline.name, settings.slot)
    place = EXPLAINERS_FROM + settings.slot
    listen = listen_at(pipeline.serving.metrics_port, place, settings.metrics_port, settings.metrics_host)
    try:
        with serving_metrics(metrics.registry, metrics.health, listen):
            ExplainerLoop(pipeline, consumer, writer, models, last, metrics).run(stop)
    finally:
        models.close()
    _log.info("explainer_stopped", slot=settings.slot)
