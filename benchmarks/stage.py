"""What the benchmarks play on: a broker, a pipeline of their own, a scorer process, a large model."""

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

import lightgbm
import numpy as np
import yaml

from feature_store.declaration.load import load_pipeline
from streams.broker import Broker, running_broker
from streams.kafka import ensure_topics, pipeline_topics
from tests.support.models import manifest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest

SHIPPED = Path(__file__).resolve().parents[1] / "config" / "payments.yaml"
TREES, LEAVES = 300, 63


@dataclass(frozen=True)
class Stage:
    """A broker with the pipeline's topics."""

    broker: Broker
    config: Path
    pipeline: Pipeline

    @property
    def log(self) -> Path:
        """What the scorer logs."""
        return self.config.parent / "scorer.log"

    def pulses(self) -> list[dict[str, Any]]:
        """The scorer's own figures, one for every few seconds."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if entry.get("event") == "scorer_pulse"]


@contextmanager
def stage() -> Iterator[Stage]:
    """Apache Kafka and the shipped payments pipeline on the stream clock, in a folder of their own."""
    os.environ.setdefault("SLUICEGATE_CONTROL_KEY", "benchmark")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cache = Path(os.environ.get("SLUICEGATE_CACHE") or ".sluicegate")
        broker = stack.enter_context(running_broker("kafka", state_dir=folder, cache_dir=cache))
        tree = yaml.safe_load(SHIPPED.read_text(encoding="utf-8")) | {"clock": "stream"}
        config = folder / "payments.yaml"
        config.write_text(yaml.safe_dump(tree), encoding="utf-8")
        pipeline = load_pipeline(config)
        ensure_topics(broker.bootstrap, pipeline_topics(pipeline))
        print(f"Apache Kafka {broker.version}, one scorer, {len(pipeline.feature_vector)} features")
        yield Stage(broker, config, pipeline)


@contextmanager
def scorer_process(on: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """One scorer, as `sluicegate up` starts it."""
    command = [sys.executable, "-m", "console.cli", "scorer", "--config", str(on.config)]
    command += ["--broker", on.broker.bootstrap, "--state-dir", str(on.config.parent / "state")]
    with on.log.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.terminate()


def large_model(pipeline: Pipeline, version: str, seed: int) -> tuple[Manifest, bytes]:
    """A LightGBM model of 300 trees with 63 leaves; its scores mean nothing, its size is usual."""
    random = np.random.default_rng(seed)
    matrix = random.lognormal(3, 1, (20_000, len(pipeline.feature_vector)))
    labels = random.integers(0, 2, 20_000).astype(float)  # noise: every tree grows to its limit
    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "verbose": -1,
        "seed": seed,
        "min_data_in_leaf": 5,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), num_boost_round=TREES)
    artifact = booster.model_to_string().encode()
    return manifest_of(pipeline, version, artifact), artifact
