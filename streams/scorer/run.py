"""A scorer as a process."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from feature_store.clock import clock_named
from feature_store.declaration.load import load_pipeline
from feature_store.declaration.stages import seen_at
from feature_store.snapshots import Shelf, open_folder
from streams.alerts import AlertSender
from streams.kafka import group_consumer, plain_producer, transactional_producer
from streams.metrics import ScorerMetrics, listen_at, serving_metrics
from streams.scorer.delivery import Deliveries
from streams.scorer.transaction import Transactions

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Consumer, KafkaError, TopicPartition

_log = structlog.get_logger()
_LONG_S = 5.0


@dataclass(frozen=True)
class ScorerSettings:
    """What a scorer is told at start; ``slot`` must be its own among the running scorers, and stable.

    Snapshots are kept under ``state_dir`` where the pipeline file names no other place.
    ``metrics_port`` None: as the pipeline file declares; 0: nowhere. ``stage``: which of those that it has.
    """

    config: Path
    bootstrap: str
    slot: int
    state_dir: Path
    metrics_port: int | None = None
    stage: int | None = None
    metrics_host: str = "127.0.0.1"


def run(settings: ScorerSettings, stop: threading.Event | None = None) -> None:
    """Decide events until SIGTERM, SIGINT or ``stop``. Raises SluicegateError when it cannot go on."""
    # Set before the model libraries load: their two OpenMP runtimes would fight over the core.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from feature_store.engine.warm import warm  # noqa: PLC0415
    from streams.models.watcher import ModelWatcher  # noqa: PLC0415
    from streams.policies.watcher import PolicyWatcher  # noqa: PLC0415
    from streams.scorer.loop import ScorerLoop  # noqa: PLC0415

    pipeline = seen_at(load_pipeline(settings.config), settings.stage)
    seconds = warm()  # nothing to tidy up yet: a signal may end it at once
    if seconds > _LONG_S:
        _log.info("engine_compiled", seconds=round(seconds, 1))
    stop = stop or stop_on_signals()
    snapshots = pipeline.serving.snapshots
    shelf = Shelf(
        open_folder(snapshots.store, settings.state_dir / "snapshots"), pipeline.name, snapshots.keep
    )
    clock = clock_named(pipeline.clock)
    who = "scorer" if pipeline.decides else f"stage-{settings.stage}"
    alerts = AlertSender(settings.bootstrap, pipeline.whole, clock, f"{who}.{settings.slot}")
    metrics = ScorerMetrics(pipeline.name, settings.slot)
    loop = ScorerLoop(
        pipeline,
        settings.bootstrap,
        *_group_member(pipeline, settings),
        ModelWatcher(settings.bootstrap, pipeline, alerts),
        PolicyWatcher(settings.bootstrap, pipeline, alerts),
        clock,
        alerts,
        shelf,
        metrics,
    )
    listen = listen_at(
        pipeline.serving.metrics_port, 1 + settings.slot, settings.metrics_port, settings.metrics_host
    )
    try:
        with serving_metrics(metrics.registry, metrics.health, listen):
            loop.run(stop)
    finally:
        alerts.close()
    _log.info("scorer_stopped", slot=settings.slot)


def _group_member(pipeline: Pipeline, settings: ScorerSettings) -> tuple[Consumer, Transactions | Deliveries]:
    """The consumer of a slot, and what commits its steps as the pipeline file declares."""
    name = f"{pipeline.scorer_group}.{settings.slot}"
    exactly_once = pipeline.serving.delivery == "exactly_once"

    def told(error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        deliveries.told(error, offsets)

    consumer = group_consumer(
        settings.bootstrap,
        pipeline.scorer_group,
        session_timeout_ms=pipeline.serving.session_timeout // 1_000,
        client_id=name,
        instance=name,
        on_commit=None if exactly_once else told,
        end_events=True,
    )
    if exactly_once:
        return consumer, Transactions(transactional_producer(settings.bootstrap, name), consumer, pipeline)
    producer = plain_producer(settings.bootstrap, linger_ms=0, client_id=name)
    deliveries = Deliveries(producer, consumer, pipeline)
    return consumer, deliveries


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set. Only the main thread may ask for it."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
