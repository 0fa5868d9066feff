"""Two keepers of one pipeline, each with a state folder of its own: one acts, and nothing is sent twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from feature_store.declaration.load import load_pipeline
from streams.kafka import ensure_topics, pipeline_topics
from tests.unit.keeper.conftest import write_pipeline
from tests.unit.keeper.sending import deltas_on
from tests.unit.keeper.sink.sinking import outcome
from tests.unit.keeper.written import START, event_id, until, write_batches, write_outcomes
from training.keeper.server import ADDRESS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

    Start = Callable[..., subprocess.Popen[str]]

KEEPER = """
import sys
from pathlib import Path
from feature_store.errors import SluicegateError
from training.keeper.parts import KeeperSettings
from training.keeper.service import run
try:
    run(KeeperSettings(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), take_over_s=float(sys.argv[4])))
except SluicegateError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance, pytest.mark.timeout(900)]


@pytest.fixture
def config(tmp_path: Path, unique: str) -> Path:
    return write_pipeline(tmp_path, unique, "count: true, fraud_rate: true")


@pytest.fixture
def pipeline(config: Path, apache_kafka: Broker) -> Pipeline:
    declared = load_pipeline(config)
    ensure_topics(apache_kafka.bootstrap, pipeline_topics(declared))
    return declared


@pytest.fixture
def start(config: Path, apache_kafka: Broker, tmp_path: Path) -> Iterator[Start]:
    """Start a keeper on a folder of this name."""
    started: list[subprocess.Popen[str]] = []

    def begin(folder: str, take_over_s: float = 3_600.0) -> subprocess.Popen[str]:
        words = [config, apache_kafka.bootstrap, tmp_path / folder, take_over_s]
        command = [sys.executable, "-c", KEEPER, *map(str, words)]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def pause() -> None:
    threading.Event().wait(0.05)


def acts(process: subprocess.Popen[str], state: Path) -> bool:
    assert process.poll() is None, process.communicate()[1]
    file = state / ADDRESS_FILE
    return file.exists() and json.loads(file.read_bytes())["pid"] == process.pid


def sent(pipeline: Pipeline, bootstrap: str) -> list[tuple[int, str, int]]:
    """What the scorers would apply: route_seq, event and change."""
    deltas = deltas_on(bootstrap, pipeline.topics.entity_outcomes)
    return sorted((delta.route_seq, delta.event_id, delta.fraud) for _, delta in deltas)


def test_the_second_is_refused_and_a_frozen_one_that_was_replaced_ends_before_it_sends(
    start: Start, pipeline: Pipeline, apache_kafka: Broker, tmp_path: Path
) -> None:
    bootstrap = apache_kafka.bootstrap
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3))], START)
    first = start("first")
    until(lambda: acts(first, tmp_path / "first"), pause)
    until(lambda: sent(pipeline, bootstrap) == [(1, "e0-3", 1)], pause)

    second = start("second")
    _, told = second.communicate()
    assert second.returncode == 5
    assert f"another keeper of pipeline '{pipeline.name}' runs: process {first.pid} on " in told
    assert f"state folder {tmp_path.resolve() / 'first'}" in told

    first.send_signal(signal.SIGSTOP)
    second = start("second", take_over_s=1.0)
    until(lambda: acts(second, tmp_path / "second"), pause)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(1, 5)), outcome(event_id(0, 4))], START)
    first.send_signal(signal.SIGCONT)
    _, told = first.communicate()
    assert first.returncode == 4
    assert f"has taken it: process {second.pid} on " in told
    until(lambda: len(sent(pipeline, bootstrap)) >= 3, pause)
    second.send_signal(signal.SIGTERM)
    assert second.wait() == 0
    deltas = sent(pipeline, bootstrap)
    assert [number for number, _, _ in deltas] == [1, 2, 3]
    assert {(event, change) for _, event, change in deltas} == {("e0-3", 1), ("e0-4", 1), ("e1-5", 1)}
