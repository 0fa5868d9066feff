"""The keeper process: its parts started in order, the sink in the main thread, all stopped in order."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import structlog

from feature_store.clock import clock_named
from feature_store.declaration.load import load_pipeline
from feature_store.units import to_text
from streams.broker.state_lock import exclusive
from streams.kafka import ensure_topics, pipeline_topics
from streams.metrics import Health
from training.keeper.alerts import Alerts
from training.keeper.api import Api
from training.keeper.audit import Audit
from training.keeper.desk import Desk
from training.keeper.due import DueRuns
from training.keeper.ends import Ends
from training.keeper.forget.rewriting import rewrite_where_due
from training.keeper.parts import KeeperSettings, Parts
from training.keeper.place import Place
from training.keeper.policies import Policies
from training.keeper.progress import Progress
from training.keeper.release.releasing import Releasing, registered
from training.keeper.review_capacity import ReviewCapacity
from training.keeper.runs import Runs
from training.keeper.schedule.schedule import Schedule
from training.keeper.sender import DeltaSender
from training.keeper.server import serving
from training.keeper.sink import Sink
from training.keeper.store import LOCK, STORE, open_keeper_store
from training.keeper.trainings import Trainings
from training.keeper.triggers import Triggers
from training.keeper.watching import watched
from training.publish import Publisher
from training.publish_policy import PolicyPublisher
from training.signing import signer_of
from training.writer import KeeperWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.amend import Amender
    from training.signing import Signer

    Pages = Callable[[Desk, str], ASGIApp]
    """Makes what browsers are shown, given the desk and the keeper's token."""

log = structlog.get_logger()


def run(settings: KeeperSettings, stop: threading.Event | None = None, pages: Pages | None = None) -> None:
    """Run the keeper until SIGTERM, SIGINT or ``stop``; ``pages`` are served beside the API.

    Raises ConfigError, BrokerError, StorageError, StateError or ContractError; the store is whole in any
    case.
    """
    stop = stop or threading.Event()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with _stopped_by_signals(stop), exclusive(settings.state_dir / LOCK), ExitStack() as stack:
        pipeline = load_pipeline(settings.config).deciding
        signer = signer_of(pipeline, settings.signing_key)
        ensure_topics(settings.bootstrap, pipeline_topics(pipeline))
        place = Place(settings.bootstrap, pipeline, settings.state_dir, settings.take_over_s)
        stack.callback(place.close)
        if place.take(stop):
            _Keeper(settings, pipeline, signer, place, stack, pages).sink_until(stop)
    log.info("keeper_stopped")


class _Keeper:
    def __init__(
        self,
        settings: KeeperSettings,
        pipeline: Pipeline,
        signer: Signer,
        place: Place,
        stack: ExitStack,
        pages: Pages | None,
    ) -> None:
        """Start everything; ``stack`` stops it, the last first."""
        clock = clock_named(pipeline.clock)
        rewrite_where_due(settings.state_dir / STORE)
        store = open_keeper_store(settings.state_dir / STORE, pipeline)
        stack.callback(store.close)
        progress = Progress()
        published = settings.bootstrap, pipeline, lambda: to_text(clock.now())
        writer = KeeperWriter(settings.bootstrap, pipeline.name, place.confirm)
        writer.settle()
        parts = Parts(
            settings=settings,
            pipeline=pipeline,
            clock=clock,
            store=store,
            progress=progress,
            publisher=Publisher(*published, writer, signer),
            alert=Alerts(store, settings.bootstrap, pipeline, clock),
            ends=Ends(settings.bootstrap, pipeline),
            confirm=place.confirm,
        )
        self._place = place
        registered(parts)
        stack.callback(parts.alert.close)
        stack.callback(parts.ends.close)
        self._sink = Sink(parts)
        stack.callback(self._sink.close)
        self._sender = DeltaSender(parts)
        stack.callback(self._sender.close)
        policies = Policies(parts, PolicyPublisher(*published, writer))
        amending = [_amender(parts)] if pipeline.features.late == "amend" else []
        runs = Runs(store)
        trainings = Trainings(parts, runs)
        due = DueRuns(parts, runs, trainings)
        self._schedule = Schedule(settings.state_dir / "schedule.sqlite", pipeline.training, due)
        stack.callback(self._schedule.close)
        self._triggers = Triggers(parts, runs, trainings.wake)
        self._triggers.start()
        stack.callback(self._triggers.stop)
        self._clock = clock
        self._workers = [trainings, ReviewCapacity(parts, policies), Releasing(parts), *amending]
        for worker in self._workers:
            worker.start()
            stack.callback(worker.stop)
        desk = Desk(parts, policies, runs, trainings, lambda: self._schedule.next_run, Audit(store, clock))
        serve = partial(_application, desk, pages)
        address = stack.enter_context(serving(serve, settings.host, settings.api_port, settings.state_dir))
        self._health = Health()
        stack.enter_context(watched(parts, runs, trainings, lambda: self._schedule.next_run, self._health))
        log.info("keeper_ready", pipeline=pipeline.name, url=address.url, next_run=self._schedule.next_run)

    def sink_until(self, stop: threading.Event) -> None:
        """Sink, send what the outcomes mean, and let the schedule see the time, until ``stop``."""
        while not stop.is_set():
            self._health.beat()
            self._place.check()
            self._sink.step()
            self._sender.step()
            self._schedule.tick(self._clock.now())
            self._triggers.tick(self._clock.now())
            for worker in self._workers:
                worker.check()


def _amender(parts: Parts) -> Amender:
    from training.keeper.amend import Amender  # noqa: PLC0415  (loads the model libraries)

    return Amender(parts)


def _application(desk: Desk, pages: Pages | None, token: str) -> ASGIApp:
    """The API, and the pages for browsers: what is at ``/`` and below ``/console``."""
    api = Api(desk).application(token)
    if pages is None:
        return api
    console = pages(desk, token)

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        for_browsers = path in {"/", "/console"} or path.startswith("/console/")
        await (console if for_browsers else api)(scope, receive, send)

    return either


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set ``stop``, where this is the main thread; as before afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda *_: stop.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
