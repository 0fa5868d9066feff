"""The whole system on one machine: broker, topics, processes; started together, stopped in order."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from console.listening import LOOPBACK, check_host
from console.local_run import LocalRun, announced, broker_setting, only_run
from console.pipeline_file import open_pipeline
from console.plan import Plan, metrics_ports_of, scorer_count
from console.soundness import check_soundness
from console.supervisor import LogBook, Supervisor
from feature_store.declaration.clients import plain
from feature_store.errors import BrokerError, ConfigError
from streams.broker import running_broker
from streams.broker.ports import choose_ports
from streams.broker.spec import Choice, parse_spec
from streams.kafka import Cluster, ensure_topics, let_in, pipeline_topics

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

READY_SECONDS = 90.0
"""How long a process may take to become ready."""
_TOGETHER_SECONDS = 20.0
"""For each of many that start at once: they share the machine's cores."""
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class SystemSettings:
    """What to run; ``broker`` and ``scorers`` None: as the pipeline says. ``host``: of the keeper."""

    config: Path
    state_dir: Path
    broker: str | None = None
    scorers: int | None = None
    verbose: bool = False
    host: str = LOOPBACK


@dataclass(frozen=True)
class System:
    """A system that runs."""

    pipeline: Pipeline
    broker: Broker
    plan: Plan
    supervisor: Supervisor
    logbook: LogBook

    def check(self) -> None:
        """Raise ProcessFailedError or BrokerError when a part is gone for good."""
        self.supervisor.raise_failure()
        process = self.broker.process
        if process is not None and (status := process.poll()) is not None:
            raise BrokerError(
                f"the broker at {self.broker.bootstrap} ended with status {status}; see {process.output}"
            )

    def run_until(self, event: threading.Event) -> None:
        """Watch until ``event`` is set, or a signal ends the wait (StopAsked).

        Raises what ``check`` does.
        """
        while not event.is_set():
            self.check()
            self.supervisor.wait(_LOOK_SECONDS)


@contextmanager
def running_system(settings: SystemSettings, show: Callable[[str], None]) -> Iterator[System]:
    """Run the system for the length of the block.

    ``show`` is told each step, and warnings of the processes. Raises ConfigError, BrokerError,
    ProcessFailedError.
    """
    pipeline = open_pipeline(settings.config, settings.state_dir)
    check_soundness(pipeline, settings.config)
    check_host(settings.host, pipeline, settings.state_dir)
    scorers = scorer_count(pipeline, settings.scorers)
    chosen = broker_setting(settings.broker, pipeline)
    with (
        only_run(settings.state_dir),
        LogBook(settings.state_dir / "log" / "sluicegate.jsonl", show, verbose=settings.verbose) as logbook,
        _broker(chosen, pipeline, settings.state_dir, show) as broker,
    ):
        ensure_topics(broker.bootstrap, pipeline_topics(pipeline))
        explainer = pipeline.serving.explanations == "async"
        declared = metrics_ports_of(pipeline, scorers, explainer=explainer)
        stages = max(len(pipeline.stages), 1)
        own = 0 if declared else 1 + scorers * stages + explainer
        free = choose_ports(settings.state_dir / "ports.json", 2 + own)
        api_port, web_port, *metrics_ports = free
        plan = Plan(
            settings.config.resolve(),
            settings.state_dir.resolve(),
            broker.bootstrap,
            scorers,
            api_port,
            web_port,
            explainer=explainer,
            metrics_ports=declared or tuple(metrics_ports),
            host=settings.host,
            stages=stages,
            sinks=pipeline.training.sink.workers,
        )
        supervisor = Supervisor(logbook)
        try:
            show(f"starting {plan.in_words}")
            supervisor.start(plan.processes())
            supervisor.wait_ready(max(READY_SECONDS, _TOGETHER_SECONDS * len(plan.processes())))
            with announced(settings.state_dir, addresses(plan)):
                yield System(pipeline, broker, plan, supervisor, logbook)
        finally:
            beside = supervisor.processes.keys() - {*plan.scorer_names, "keeper"}
            for names in (plan.scorer_names, beside, ["keeper"]):
                supervisor.stop(names)


@contextmanager
def _broker(
    chosen: str, pipeline: Pipeline, state_dir: Path, show: Callable[[str], None]
) -> Iterator[Broker]:
    """The broker that answers, connected to as the pipeline declares."""
    protocol = plain(pipeline.kafka).get("security.protocol", "PLAINTEXT")
    if parse_spec(chosen).choice is not Choice.GIVEN and protocol.upper() != "PLAINTEXT":
        raise ConfigError(
            f"kafka: security.protocol is {protocol}, but the broker that is started here (broker: "
            f"{chosen}) speaks plain text; name your own: --broker host:port"
        )
    declared = partial(_let_in, pipeline) if pipeline.kafka else None
    with running_broker(chosen, state_dir=state_dir, progress=show, answers=declared) as broker:
        yield replace(broker, bootstrap=Cluster.of(broker.bootstrap, pipeline))


def _let_in(pipeline: Pipeline, bootstrap: str) -> None:
    let_in(Cluster.of(bootstrap, pipeline))


def addresses(plan: Plan) -> LocalRun:
    """What other commands of this machine are told."""
    return LocalRun(os.getpid(), str(plan.config), str(plan.bootstrap), plan.monitor_url, plan.keeper_url)
