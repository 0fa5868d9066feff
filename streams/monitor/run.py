"""The monitor's process."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from faust import Worker

from feature_store.declaration.load import load_pipeline
from feature_store.errors import SluicegateError
from streams.kafka import reader, start_offsets
from streams.monitor.app import build_app
from streams.monitor.looking import Looking
from streams.monitor.state import MonitorState

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

_log = structlog.get_logger()


@dataclass(frozen=True)
class MonitorSettings:
    """What one monitor needs to know."""

    config: Path
    bootstrap: str
    web_port: int
    state_dir: Path
    web_host: str = "127.0.0.1"
    """Where the web view listens. It asks for no password: beyond this machine, put it behind what does."""


def run(settings: MonitorSettings) -> None:
    """Monitor until SIGTERM or SIGINT.

    Raises ConfigError, BrokerError where a topic is missing, SluicegateError when faust gives up.
    """
    pipeline = load_pipeline(settings.config).deciding
    _require_topics(settings.bootstrap, pipeline)
    state = MonitorState(pipeline)
    data = settings.state_dir / "monitor"
    data.mkdir(parents=True, exist_ok=True)
    looking = Looking(pipeline, settings.bootstrap, state, data)
    worker = _worker(settings, pipeline, state, looking)
    looking.start()
    _log.info(
        "monitor_started", pipeline=pipeline.name, web=f"http://{settings.web_host}:{settings.web_port}/"
    )
    try:
        worker.execute_from_commandline()
    except SystemExit:
        if worker.crash_reason is not None:
            raise SluicegateError(f"the monitor gave up: {worker.crash_reason!r}") from worker.crash_reason
    finally:
        looking.stop()
    _log.info("monitor_stopped", pipeline=pipeline.name)


def _require_topics(bootstrap: str, pipeline: Pipeline) -> None:
    consumer = reader(bootstrap)
    try:
        names = pipeline.topics
        for topic in (names.features, names.outcomes, names.models, names.alerts, names.events):
            start_offsets(consumer, topic)
    finally:
        consumer.close()


def _worker(settings: MonitorSettings, pipeline: Pipeline, state: MonitorState, looking: Looking) -> Worker:
    for name in ("faust", "mode", "aiokafka", "httpx", "httpcore", "streams.monitor.transport"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app = build_app(
        pipeline,
        state,
        looking.at_events,
        bootstrap=settings.bootstrap,
        web_host=settings.web_host,
        web_port=settings.web_port,
        data=(settings.state_dir / "monitor").absolute(),
    )
    looking.attach(app)
    worker = Worker(app, quiet=True, override_logging=False, redirect_stdouts=False, loglevel="WARNING")
    worker.spinner = None  # it writes to the terminal even when quiet
    return worker
