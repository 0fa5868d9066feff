"""The demo from start to verdict.

1. A fresh place, the shipped pipeline on the stream clock, and the whole system on it.
2. An observer beside it, then the simulated stream at its speed.
3. When the stream is through: wait until every event that was sent is behind the scorers' committed offsets.
4. Read the topics back, judge, report.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from console.demo.observer import READY, read_observed
from console.demo.pace import StreamPace, why_wait
from console.demo.readback import read_back
from console.demo.report import failures, in_words, make_report, write_report
from console.demo.sample import Sampler
from console.demo.settings import set_the_scene
from console.local_run import broker_setting, only_run
from console.pipeline_file import open_pipeline
from console.supervisor import ProcessSpec, SaysReady
from console.system import SystemSettings, running_system
from feature_store.errors import SluicegateError
from streams.kafka import TopicPartition, group_consumer
from streams.sources import Published, Scenario, publish, simulate
from streams.sources.simulate.scenario import DAY_US

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from console.demo.settings import DemoSettings
    from console.demo.view import View
    from console.system import System

_LOOK_SECONDS = 0.5
_STALL_SECONDS = 60.0
_OBSERVER = "observer"
_OBSERVER_READY_SECONDS = 30.0
_OFFSETS_TIMEOUT_S = 10.0


class DemoFailedError(SluicegateError):
    """The demo did not show what it is there to show."""


def run_demo(settings: DemoSettings, view: View) -> None:
    """Run the demo. Raises DemoFailedError, one line per finding, and the errors of the parts."""
    began = time.monotonic()
    with only_run(settings.home):
        shipped = open_pipeline(settings.source, settings.home)
        set_the_scene(settings, broker_setting(settings.broker, shipped))
        what = SystemSettings(settings.config, settings.state_dir, settings.broker, settings.scorers)
        with running_system(what, view.say) as system:
            _stream(settings, system, view)
            view.say("reading everything back")
            found = read_back(system.broker.bootstrap, system.pipeline)
            system.supervisor.stop([_OBSERVER])
            latency = read_observed(_observed(settings)).total
            report = make_report(found, latency, system.broker)
    write_report(report, settings.report)
    view.say(in_words(report, found, time.monotonic() - began))
    view.say(f"  report          {settings.report}")
    if wrong := failures(report, found):
        raise DemoFailedError("\n".join(wrong))


def _stream(settings: DemoSettings, system: System, view: View) -> None:
    """Send the stream and return when all of it has been decided."""
    system.supervisor.start([_observer(settings, system)])
    system.supervisor.wait_ready(_OBSERVER_READY_SECONDS)
    view.say(f"monitor: {system.plan.monitor_url}   logs: {system.logbook.path}")
    sampler = Sampler(system.plan.monitor_url, settings.state_dir, _observed(settings))
    try:
        with _Sender(settings, system) as sender:
            while not sender.done:
                system.check()
                sample = sampler.look()
                waiting = why_wait(sample, sender.published.events)
                (sender.pace.hold if waiting else sender.pace.go_on)()
                view.show(sample, sender.share, waiting)
                sender.wait(_LOOK_SECONDS)
            _await_decided(system, sender.published.end_offsets, lambda: view.show(sampler.look(), 1.0, None))
    finally:
        sampler.close()


class _Sender:
    """Sends the simulated stream from a thread; leaving the block ends it early where it still runs."""

    def __init__(self, settings: DemoSettings, system: System) -> None:
        self.published = Published()
        self._system = system
        self._scenario = Scenario(days=settings.days, events_per_day=max(1, settings.events // settings.days))
        self._begin_us = self._scenario.start_us
        self._end_us = self._begin_us + settings.days * DAY_US
        self.pace = StreamPace(settings.speed, self._begin_us, self._end_us)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._send, name="sender", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pace.stop()
        self._thread.join()

    @property
    def done(self) -> bool:
        """Whether all is sent. Raises what went wrong."""
        if self._failure is not None:
            raise self._failure
        return not self._thread.is_alive()

    @property
    def share(self) -> float:
        """How much of the stream is through, by its own time."""
        through = self.published.last_arrival_us - self._begin_us
        return min(1.0, max(0.0, through / (self._end_us - self._begin_us)))

    def wait(self, seconds: float) -> None:
        """Wait for the end, at most so long."""
        self._thread.join(seconds)

    def _send(self) -> None:
        topics = self._system.pipeline.topics
        try:
            self.published = publish(
                self.pace.paced(simulate(self._scenario)),
                self._system.broker.bootstrap,
                {"events": topics.events, "outcomes": topics.outcomes},
                on_progress=self._progress,
            )
        except BaseException as error:  # noqa: BLE001  (told in the main thread, by ``done``)
            self._failure = error

    def _progress(self, so_far: Published) -> None:
        self.published = so_far


def _await_decided(system: System, ends: dict[int, int], meanwhile: Callable[[], None]) -> None:
    """Return when the scorers have committed past ``ends``. Raises DemoFailedError when they stand still."""
    pipeline = system.pipeline
    topic = pipeline.topics.events
    consumer = group_consumer(system.broker.bootstrap, pipeline.scorer_group)
    left, moved = -1, time.monotonic()
    try:
        while True:
            wanted = [TopicPartition(topic, partition) for partition in ends]
            committed = {
                each.partition: each.offset for each in consumer.committed(wanted, _OFFSETS_TIMEOUT_S)
            }
            now_left = sum(max(0, end - max(0, committed[partition])) for partition, end in ends.items())
            if now_left == 0:
                return
            if now_left != left:
                left, moved = now_left, time.monotonic()
            if time.monotonic() - moved > _STALL_SECONDS:
                raise DemoFailedError(
                    f"{left} records stayed undecided for {_STALL_SECONDS:.0f} s; see {system.logbook.path}"
                )
            system.check()
            meanwhile()
            system.supervisor.wait(_LOOK_SECONDS)
    finally:
        consumer.close()


def _observed(settings: DemoSettings) -> Path:
    return settings.state_dir / "observed.json"


def _observer(settings: DemoSettings, system: System) -> ProcessSpec:
    arguments = (
        *("-m", "console.demo.observer", "--bootstrap", str(system.broker.bootstrap)),
        *("--config", str(system.plan.config), "--out", str(_observed(settings))),
    )
    return ProcessSpec(_OBSERVER, arguments, SaysReady(READY))
