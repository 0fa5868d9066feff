"""Which processes a pipeline runs as on one machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.supervisor import AnswersAt, ProcessSpec, SaysReady
from feature_store.errors import ConfigError
from streams.metrics import EXPLAINERS_FROM
from training.keeper.address import url_of

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

_USUAL_SCORERS = 2


@dataclass(frozen=True)
class Plan:
    """What is run, and where it listens on this machine."""

    config: Path
    state_dir: Path
    bootstrap: str
    scorers: int
    api_port: int
    web_port: int
    explainer: bool = False
    metrics_ports: tuple[int, ...] = ()
    """Of the keeper, of every scorer and of the explainer, in this order; none where nobody gives metrics."""
    host: str = "127.0.0.1"
    """The address that the keeper listens on."""
    stages: int = 1
    """Through how many an event passes; each has so many scorers."""
    sinks: int = 0
    """Sink workers."""

    @property
    def monitor_url(self) -> str:
        """Where the live metrics are shown."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def keeper_url(self) -> str:
        """Where this machine reaches the keeper's API and console."""
        return url_of(self.host, self.api_port)

    @property
    def metrics_urls(self) -> dict[str, str]:
        """Process -> where Prometheus may ask it."""
        names = ["keeper", *self.scorer_names, *(["explainer"] if self.explainer else [])]
        urls = {
            name: f"http://127.0.0.1:{port}/metrics"
            for name, port in zip(names, self.metrics_ports, strict=False)
        }
        return urls | ({"monitor": f"{self.monitor_url}/metrics"} if urls else {})

    @property
    def scorer_names(self) -> list[str]:
        """One name per slot of every stage; those of the last are called scorers."""
        return [name for name, _, _ in self._workers]

    @property
    def _workers(self) -> list[tuple[str, int, int]]:
        """Name, stage and slot of each."""
        last = self.stages - 1
        places = [(stage, slot) for stage in range(self.stages) for slot in range(self.scorers)]
        return [
            (f"scorer-{slot}" if stage == last else f"stage-{stage}-{slot}", stage, slot)
            for stage, slot in places
        ]

    @property
    def beside(self) -> list[str]:
        """What only reads: it may stop in any order."""
        sinks = [f"sink-{slot}" for slot in range(self.sinks)]
        return [*sinks, *(["explainer"] if self.explainer else []), "monitor"]

    @property
    def in_words(self) -> str:
        """The processes, as one says them: ``2 scorers, keeper, monitor``."""
        scorers = f"{self.scorers} scorer{'s' * (self.scorers > 1)}"
        if self.stages > 1:
            scorers += f" in each of {self.stages} stages"
        return ", ".join([scorers, "keeper", *self.beside])

    def processes(self) -> list[ProcessSpec]:
        """Every process, in the order in which they are started."""
        scorers = [self._scorer(place, *each) for place, each in enumerate(self._workers)]
        sinks = [self._sink(slot) for slot in range(self.sinks)]
        explainers = [self._explainer()] if self.explainer else []
        return [self._keeper(), *scorers, *sinks, *explainers, self._monitor()]

    def _keeper(self) -> ProcessSpec:
        where = ("--host", self.host, "--port", str(self.api_port))
        more = (*where, "--monitor-url", self.monitor_url, *self._metrics(0))
        return ProcessSpec("keeper", self._command("keeper", *more), AnswersAt(f"{self.keeper_url}/health"))

    def _scorer(self, place: int, name: str, stage: int, slot: int) -> ProcessSpec:
        which = ("--stage", str(stage)) if self.stages > 1 else ()
        command = self._command("scorer", "--slot", str(slot), *which, *self._metrics(1 + place))
        return ProcessSpec(name, command, SaysReady("scorer_ready"))

    def _sink(self, slot: int) -> ProcessSpec:
        command = self._command("sink", "--slot", str(slot))
        return ProcessSpec(f"sink-{slot}", command, SaysReady("sink_ready"))

    def _explainer(self) -> ProcessSpec:
        return ProcessSpec(
            "explainer", self._command("explainer", *self._metrics(-1)), SaysReady("explainer_ready")
        )

    def _monitor(self) -> ProcessSpec:
        command = self._command("monitor", "--port", str(self.web_port))
        return ProcessSpec("monitor", command, AnswersAt(f"{self.monitor_url}/status.json"))

    def _metrics(self, place: int) -> tuple[str, ...]:
        return ("--metrics-port", str(self.metrics_ports[place])) if self.metrics_ports else ()

    def _command(self, name: str, *more: str) -> tuple[str, ...]:
        shared = (
            "--config",
            str(self.config),
            "--broker",
            self.bootstrap,
            "--state-dir",
            str(self.state_dir),
        )
        return ("-m", "console.cli", name, *shared, *more)


def scorer_count(pipeline: Pipeline, wanted: int | None) -> int:
    """How many scorers to run. Raises ConfigError where the features allow only one."""
    limits = pipeline.global_features
    if limits and wanted is not None and wanted > 1:
        names = ", ".join(feature.name for feature in limits)
        raise ConfigError(
            f"--scorers {wanted}: {names} count for entities that the partition key {pipeline.event.key!r} "
            "does not determine, which is exact only while one scorer holds all partitions; use --scorers 1, "
            "or features.staged: true"
        )
    most = pipeline.topics.partitions
    if wanted is not None and wanted > most:
        raise ConfigError(
            f"--scorers {wanted}: the events topic has {most} partitions, so {wanted - most} would idle; "
            f"use at most {most}, or raise topics.partitions before the topics are created"
        )
    return wanted or (1 if limits else min(_USUAL_SCORERS, most))


def metrics_ports_of(pipeline: Pipeline, scorers: int, *, explainer: bool) -> tuple[int, ...]:
    """Where keeper, scorers and explainer give their metrics, where the pipeline declares it."""
    declared = pipeline.serving.metrics_port
    if not declared:
        return ()
    places = [*range(1 + scorers * max(len(pipeline.stages), 1)), *([EXPLAINERS_FROM] if explainer else [])]
    return tuple(declared + place for place in places)
