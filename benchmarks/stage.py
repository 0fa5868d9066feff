"""What the benchmarks play on: a broker, a pipeline of their own, a scorer process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from feature_store.declaration.load import load_pipeline
from streams.broker import Broker, running_broker
from streams.kafka import ensure_topics, pipeline_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.declaration.pipeline import Pipeline

SHIPPED = Path(__file__).resolve().parents[1] / "config" / "payments.yaml"


@dataclass(frozen=True)
class Stage:
    """A broker with the pipeline's topics; the folder of ``config`` goes with it."""

    broker: Broker
    config: Path
    pipeline: Pipeline

    @property
    def folder(self) -> Path:
        """Where everything is."""
        return self.config.parent

    @property
    def log(self) -> Path:
        """What the scorer logs."""
        return self.config.with_suffix(".log")

    def pulses(self) -> list[dict[str, Any]]:
        """The scorer's own figures, one for every few seconds."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if entry.get("event") == "scorer_pulse"]

    def with_pipeline(self, tree: dict[str, Any]) -> Stage:
        """The same broker with another pipeline; topics that are there already are shared."""
        return _on(self.broker, self.folder, tree)

    def scorer_command(self) -> list[str]:
        """One scorer, as `sluicegate up` starts it."""
        command = [sys.executable, "-m", "console.cli", "scorer", "--config", str(self.config)]
        return [*command, "--broker", self.broker.bootstrap, "--state-dir", str(self.folder / "state")]


def _on(broker: Broker, folder: Path, tree: dict[str, Any]) -> Stage:
    config = folder / f"{tree['pipeline']}.yaml"
    config.write_text(yaml.safe_dump(tree), encoding="utf-8")
    pipeline = load_pipeline(config)
    ensure_topics(broker.bootstrap, pipeline_topics(pipeline))
    return Stage(broker, config, pipeline)


@contextmanager
def stage(tree: dict[str, Any] | None = None) -> Iterator[Stage]:
    """Apache Kafka and a pipeline, in a folder of their own; else the shipped one, on the stream clock."""
    os.environ.setdefault("SLUICEGATE_CONTROL_KEY", "benchmark")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluicegate-bench-")))
        cache = Path(os.environ.get("SLUICEGATE_CACHE") or ".sluicegate")
        broker = stack.enter_context(running_broker("kafka", state_dir=folder, cache_dir=cache))
        shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8")) | {"clock": "stream"}
        on = _on(broker, folder, tree or shipped)
        print(f"Apache Kafka {broker.version}, {len(on.pipeline.feature_vector)} features", file=sys.stderr)
        yield on


@contextmanager
def scorer_process(on: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """One scorer, on any core."""
    with on.log.open("wb") as log, subprocess.Popen(on.scorer_command(), stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.terminate()
