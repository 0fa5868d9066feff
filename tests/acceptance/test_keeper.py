"""A real keeper on a real Kafka, killed without warning."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
import pytest

from feature_store.declaration.load import load_pipeline
from feature_store.units import to_text
from streams.kafka import ensure_topics, pipeline_topics
from tests.unit.keeper.conftest import write_pipeline
from tests.unit.keeper.written import MINUTE, START, event_id, until, write_batches, write_outcomes
from training.keeper.client import KeeperClient, KeeperUnreachableError
from training.keeper.server import ADDRESS_FILE
from training.keeper.store import STORE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

KEEPER = """
import sys
from pathlib import Path
from training.keeper.parts import KeeperSettings
from training.keeper.service import run
run(KeeperSettings(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
"""

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]

Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def config(tmp_path: Path, unique: str) -> Path:
    return write_pipeline(tmp_path, unique)


@pytest.fixture
def pipeline(config: Path, apache_kafka: Broker) -> Pipeline:
    declared = load_pipeline(config)
    ensure_topics(apache_kafka.bootstrap, pipeline_topics(declared))
    return declared


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def start_keeper(config: Path, apache_kafka: Broker, state: Path) -> Iterator[Start]:
    """Start a keeper process and wait until it answers."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", KEEPER, str(config), apache_kafka.bootstrap, str(state)]
        process = subprocess.Popen(command)
        started.append(process)
        until(lambda: process.poll() is not None or _address_of(state) == process.pid, pause)
        assert process.poll() is None
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def pause() -> None:
    threading.Event().wait(0.05)


def _address_of(state: Path) -> int | None:
    file = state / ADDRESS_FILE
    return int(json.loads(file.read_bytes())["pid"]) if file.exists() else None


def decisions_sunk(state: Path) -> int:
    with KeeperClient(state) as client:
        return int(client.status()["rows"]["decisions"])


def ask(state: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(state / STORE), read_only=True) as store:
        return list(store.execute(query).fetchall())


def test_rows_are_in_the_store_exactly_once_however_often_it_is_killed(
    start_keeper: Start, pipeline: Pipeline, apache_kafka: Broker, state: Path
) -> None:
    batches, size = 240, 25
    writer = threading.Thread(target=write_batches, args=(pipeline, apache_kafka.bootstrap, 0, batches, size))
    total = batches * size * pipeline.topics.partitions
    writer.start()
    for share in (0.1, 0.4, 0.7):
        keeper = start_keeper()
        until(lambda enough=total * share: decisions_sunk(state) >= enough, pause)  # type: ignore[misc]
        keeper.kill()
        keeper.wait()
        with pytest.raises(KeeperUnreachableError):
            decisions_sunk(state)
    writer.join()
    keeper = start_keeper()
    until(lambda: decisions_sunk(state) >= total, pause)
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(60) == 0
    everything = [(total, total)]
    assert ask(state, "SELECT count(*), count(DISTINCT event_id) FROM scored") == everything
    assert ask(state, "SELECT count(*), count(DISTINCT event_id) FROM decisions") == everything
    assert ask(state, 'SELECT count(*), count(DISTINCT ("partition", "offset")) FROM decisions') == everything
    stretches = ask(state, "SELECT DISTINCT sum(row_count), sum(next_offset - first_offset) FROM batches")
    assert stretches == everything


def over(state: Path) -> bool:
    """Whether runs were made and none waits."""
    with KeeperClient(state) as client:
        states = {run["state"] for run in client.runs()}
    return bool(states) and not states & {"due", "running"}


def test_the_cron_line_trains_and_publishes_on_stream_time_and_noise_is_refused(
    start_keeper: Start, pipeline: Pipeline, apache_kafka: Broker, state: Path
) -> None:
    days = 12
    start_keeper()
    frauds = [
        msgspec.json.encode(
            {
                "event_id": event_id(partition, offset),
                "label": "fraud",
                "observed_at": to_text(START + offset * MINUTE),
                "source": "analyst",
            }
        )
        for partition in range(pipeline.topics.partitions)
        for offset in range(9, days * 1_440, 30)  # among the highest amounts, every third
    ]
    write_outcomes(pipeline, apache_kafka.bootstrap, frauds, START)
    write_batches(pipeline, apache_kafka.bootstrap, 0, batches=days * 4, size=360)
    until(lambda: decisions_sunk(state) == days * 1_440 * pipeline.topics.partitions, pause)
    until(lambda: over(state), pause)
    with KeeperClient(state) as client:
        runs = client.runs()
        assert {run["why"] for run in runs} == {"schedule"}
        assert runs[-1]["as_of"] == START + ((days - 1) * 24 + 3) * 60 * MINUTE
        newest = [run for run in runs if run["state"] == "passed"][-1]
        version = f"{pipeline.name}-{newest['run_id']}"
        assert client.status()["release"]["champion"] == version
        assert client.model(version)["metrics"] == newest["result"]["metrics"]
        client.train(shuffle_labels=True)
        until(lambda: over(state), pause)
        assert client.runs()[-1]["state"] == "refused"
        assert client.status()["release"]["champion"] == version
