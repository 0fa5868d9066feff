"""A sink worker as a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from feature_store.declaration.load import load_pipeline
from feature_store.errors import ConfigError
from streams.kafka import group_consumer, leave
from streams.scorer.run import stop_on_signals
from training.sink.folder import folder_of
from training.sink.reading import cluster_of
from training.sink.worker import SinkWorker

if TYPE_CHECKING:
    import threading
    from pathlib import Path


log = structlog.get_logger()


@dataclass(frozen=True)
class SinkSettings:
    """What a worker is told at start; ``slot`` tells it from others in the group, for people."""

    config: Path
    bootstrap: str
    state_dir: Path
    slot: int = 0


def run(settings: SinkSettings, stop: threading.Event | None = None) -> None:
    """Write down what is decided until SIGTERM, SIGINT or ``stop``. Raises SluicegateError."""
    pipeline = load_pipeline(settings.config).deciding
    if not pipeline.training.sink.workers:
        raise ConfigError(
            f"{settings.config}: training.sink.workers is 0, so the keeper reads the topics itself; set it "
            "to 1 or more and start the keeper anew"
        )
    stop = stop or stop_on_signals()
    identity = f"sluicegate.{pipeline.name}.sink"
    consumer = group_consumer(
        settings.bootstrap,
        identity,
        session_timeout_ms=pipeline.serving.session_timeout // 1_000,
        client_id=f"{identity}.{settings.slot}",
        end_events=True,
    )
    folder = folder_of(pipeline, settings.state_dir)
    try:
        worker = SinkWorker(pipeline, consumer, folder, cluster_of(consumer))
        worker.run(stop)
    finally:
        leave(consumer)
    log.info("sink_stopped", slot=settings.slot, records=worker.records)
