"""The keeper's metrics: looked up by their own thread, so that no scrape waits for Kafka."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

import structlog

from feature_store.duck import DuckError
from feature_store.errors import SluicegateError
from streams.kafka import KafkaException
from streams.metrics import KeeperMetrics, KeeperStanding, listen_at, serving_metrics
from training.keeper.runs import State
from training.keeper.status import status
from training.keeper.store import STORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.messages import Release
    from streams.metrics import Health
    from training.keeper.parts import Parts
    from training.keeper.runs import Run, Runs
    from training.keeper.trainings import Trainings

_EVERY_S = 5.0
_PATIENCE_S = 2.0
"""A question to a Kafka that is away takes longer; a stop does not wait for it."""

log = structlog.get_logger()


@contextmanager
def watched(
    parts: Parts,
    runs: Runs,
    trainings: Trainings,
    next_run: Callable[[], int | None],
    health: Health,
) -> Iterator[str | None]:
    """Give the keeper's metrics until the block ends, at the address that is yielded; None without a port.

    ``health`` hears from the keeper's main thread, and is what probes ask at the same port.
    """
    settings = parts.settings
    declared = parts.pipeline.serving.metrics_port
    listen = listen_at(declared, 0, settings.metrics_port, settings.metrics_host)
    metrics = KeeperMetrics(parts.pipeline.name)
    with serving_metrics(metrics.registry, health, listen) as url:
        if url is None:
            yield None
            return
        stop = threading.Event()
        look = _Look(metrics, parts, runs, trainings, next_run)
        thread = threading.Thread(target=look.until, args=(stop,), name="metrics", daemon=True)
        thread.start()
        try:
            yield url
        finally:
            stop.set()
            thread.join(_PATIENCE_S)


class _Look:
    def __init__(
        self,
        metrics: KeeperMetrics,
        parts: Parts,
        runs: Runs,
        trainings: Trainings,
        next_run: Callable[[], int | None],
    ) -> None:
        self._metrics = metrics
        self._parts = parts
        self._runs = runs
        self._trainings = trainings
        self._next_run = next_run

    def until(self, stop: threading.Event) -> None:
        """Look, and look again. What cannot be looked up now keeps its last figure."""
        while not stop.is_set():
            try:
                self._metrics.stand(self._standing())
            except (SluicegateError, KafkaException, DuckError, OSError) as error:
                log.warning("metrics_not_looked_up", why=str(error))
            stop.wait(_EVERY_S)

    def _standing(self) -> KeeperStanding:
        told = status(self._parts)
        release, runs = told["release"], self._runs.all()
        return KeeperStanding(
            lag=told["lag"],
            counts=told["rows"],
            store_bytes=sum(file.stat().st_size for file in self._parts.settings.state_dir.glob(f"{STORE}*")),
            runs=dict.fromkeys(get_args(State), 0) | Counter(run.state for run in runs),
            training=self._trainings.running is not None,
            next_run=self._next_run(),
            now=self._parts.clock.now(),
            epoch=0 if release is None else release.epoch,
            scoring=_scoring(release),
            last_runs=dict.fromkeys(get_args(State), 0) | {run.state: run.as_of for run in runs},
            run_seconds=_seconds_of_newest(runs),
        )


def _seconds_of_newest(runs: list[Run]) -> float:
    return next((run.result.seconds for run in reversed(runs) if run.result is not None), 0.0)


def _scoring(release: Release | None) -> dict[str, int]:
    if release is None:
        return {"champion": 0, "canary": 0, "shadow": 0}
    return {
        "champion": int(release.champion is not None),
        "canary": int(release.canary is not None),
        "shadow": len(release.shadows),
    }
