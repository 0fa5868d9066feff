"""Real sink workers and a real keeper on a real Kafka, killed without warning."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import duckdb
import pytest

from feature_store.declaration.load import load_pipeline
from streams.kafka import ensure_topics, pipeline_topics
from tests.support.processes import keeper, sink
from tests.unit.keeper.conftest import PIPELINE
from tests.unit.keeper.written import until
from training.keeper.client import KeeperClient
from training.keeper.server import ADDRESS_FILE
from training.keeper.store import STORE
from training.sink.folder import TAKEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]

WORKERS = """
training: {schedule: "0 3 * * *", sink: {workers: 2, every: 200ms}}
serving: {session_timeout: 6s}
"""
WRITER = """
import sys
from pathlib import Path
from feature_store.declaration.load import load_pipeline
from tests.unit.keeper.written import write_batches
write_batches(load_pipeline(Path(sys.argv[1])), sys.argv[2], 0, int(sys.argv[3]), int(sys.argv[4]))
"""


def pause() -> None:
    threading.Event().wait(0.05)


def answers(state: Path, process: subprocess.Popen[bytes]) -> bool:
    """Whether this keeper is up."""
    assert process.poll() is None
    file = state / ADDRESS_FILE
    return file.exists() and f'"pid":{process.pid}' in file.read_text("utf-8").replace(" ", "")


def test_rows_are_in_the_store_once_however_workers_and_keeper_are_killed(
    tmp_path: Path, unique: str, apache_kafka: Broker
) -> None:
    config, state, bootstrap = tmp_path / "pipeline.yaml", tmp_path / "state", apache_kafka.bootstrap
    declared = PIPELINE.format(name=unique)
    config.write_text(declared[: declared.index("training:")] + WORKERS, encoding="utf-8")
    pipeline = load_pipeline(config)
    ensure_topics(bootstrap, pipeline_topics(pipeline))
    batches, size = 120, 25
    total = batches * size * pipeline.topics.partitions

    def decisions() -> int:
        with KeeperClient(state) as client:
            return int(client.status()["rows"]["decisions"])

    def reaches(share: float) -> Callable[[], bool]:
        return lambda: decisions() >= total * share

    writing = [sys.executable, "-c", WRITER, str(config), bootstrap, str(batches), str(size)]
    with (
        keeper(config, bootstrap) as first,
        sink(config, bootstrap, 1) as lost,
        subprocess.Popen(writing) as writer,
    ):
        until(lambda: answers(state, first), pause)
        with sink(config, bootstrap, 0) as killed:
            until(reaches(0.1), pause)
            killed.kill()
        with sink(config, bootstrap, 0) as again:
            until(reaches(0.4), pause)
            first.kill()
            first.wait()
            with keeper(config, bootstrap) as second:
                until(lambda: answers(state, second), pause)
                until(reaches(0.6), pause)
                lost.kill()
                assert writer.wait(180) == 0
                until(reaches(1.0), pause)
                until(lambda: [file.name for file in (state / "sink" / unique).iterdir()] == [TAKEN], pause)
                for process in (again, second):
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(180) == 0
    everything = [(total, total)]
    with duckdb.connect(str(state / STORE), read_only=True) as store:
        for table in ("scored", "decisions"):
            places = "count(DISTINCT (source_partition, source_offset))"
            assert store.execute(f"SELECT count(*), {places} FROM {table}").fetchall() == everything  # noqa: S608
        stretches = "SELECT sum(row_count), sum(next_offset - first_offset) FROM batches"
        assert store.execute(stretches).fetchall() == everything
