"""A keeper that is killed and loses its state folder comes back from a backup, and lacks nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from feature_store.declaration.load import load_pipeline
from streams.kafka import ensure_topics, pipeline_topics
from tests.support.payments import ENVIRONMENT
from tests.support.processes import keeper
from tests.unit.keeper.conftest import PIPELINE
from tests.unit.keeper.sink.sinking import outcome
from tests.unit.keeper.written import MINUTE, START, event_id, until, write_batches, write_outcomes
from training.keeper.client import KeeperClient, KeeperUnreachableError
from training.keeper.store import STORE

if TYPE_CHECKING:
    from pathlib import Path

    from streams.broker import Broker

pytestmark = pytest.mark.acceptance

EVERY_TABLE = {
    "scored": "SELECT * FROM scored ORDER BY source_partition, source_offset",
    "decisions": 'FROM decisions ORDER BY "partition", "offset"',
    "batches": 'FROM batches ORDER BY "partition", log_offset',
    "outcomes": 'FROM outcomes ORDER BY "partition", "offset"',
}


def sluicegate(*words: str) -> Any:
    """What a command prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "console.cli", *words, "--json"],
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sunk(state: Path, events: int) -> bool:
    try:
        with KeeperClient(state) as client:
            rows = client.status()["rows"]
    except KeeperUnreachableError:
        return False
    return bool(rows["decisions"] == rows["scored"] == events and rows["outcomes"] == 1)


def pause() -> None:
    threading.Event().wait(0.05)


def stored(state: Path) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(state / STORE), read_only=True) as store:
        return {name: list(store.execute(query).fetchall()) for name, query in EVERY_TABLE.items()}


def test_a_lost_state_folder_is_restored_and_the_keeper_catches_up(
    embedded_broker: Broker, unique: str, tmp_path: Path
) -> None:
    config, bootstrap = tmp_path / "pipeline.yaml", embedded_broker.bootstrap
    config.write_text(PIPELINE.format(name=unique), encoding="utf-8")
    pipeline = load_pipeline(config)
    ensure_topics(bootstrap, pipeline_topics(pipeline))
    state, kept = tmp_path / "state", tmp_path / "backups" / "monday"
    write_batches(pipeline, bootstrap, 0, batches=10, size=100)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3))], START + 500 * MINUTE)
    with keeper(config, bootstrap) as process:
        until(lambda: sunk(state, 2_000), pause)
        backup = sluicegate("backup", str(kept), "--state-dir", str(state))
        assert (backup["rows"]["scored"], backup["rows"]["audit"]) == (2_000, 1)
        write_batches(pipeline, bootstrap, 1_000, batches=10, size=100)
        until(lambda: sunk(state, 4_000), pause)
        process.kill()
        process.wait(30)
    before = stored(state)
    shutil.rmtree(state)
    sluicegate("restore", str(kept), "--state-dir", str(state))
    with keeper(config, bootstrap) as process:
        until(lambda: sunk(state, 4_000), pause)
        with KeeperClient(state) as client:
            assert [line["what"] for line in client.audit(9)] == ["restore", "backup"]
        process.terminate()
        assert process.wait(60) == 0
    assert stored(state) == before
