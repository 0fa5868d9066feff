"""Without transactions: nothing is lost, and what counts events counts each of them once, the keeper, too.

On Apache Kafka the same happens to two scorers in ``test_chaos``; what the keeper reads there is the same.
"""

from __future__ import annotations

import random
import secrets
import signal
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from streams.kafka import TopicPartition, group_consumer
from streams.scorer.committed import committed_positions
from tests.support.chaos import Chaos
from tests.support.chaos_check import Verdict
from tests.support.chaos_load import Load
from tests.support.outcomes import counting_frauds
from tests.support.processes import keeper
from training.keeper.client import KeeperClient, KeeperUnreachableError
from training.keeper.store import STORE

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

    from feature_store.declaration.pipeline import Pipeline
    from streams.broker import Broker

SERVING = {
    "serving": {
        "delivery": "at_least_once",
        "batch": {"max_events": 40},
        "session_timeout": "6s",
        "snapshots": {"every": "1s", "keep": 2},
    }
}

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]


def test_whatever_becomes_of_two_scorers_every_event_is_decided_and_stored_once(
    embedded_broker: Broker, unique: str, tmp_path: Path
) -> None:
    broker = embedded_broker
    seed = str(secrets.randbelow(10**6))
    print(f"seed {seed}")  # noqa: T201  (shown on failure)
    config, pipeline = counting_frauds(tmp_path, unique, **SERVING)
    load = Load(broker.bootstrap, pipeline, random.Random(seed))
    chaos = Chaos(broker, config, pipeline, load, 2, seed)
    try:
        with keeper(config, broker.bootstrap) as sinking:
            # At its start it looks through the outcomes on their way, of which a keeper's own carry more.
            _until_stored(tmp_path / "state", 0, sinking)
            chaos.run(4)
            assert _group_offsets(broker.bootstrap, pipeline) == load.sent_to  # after an ordered stop
            verdict = Verdict(broker.bootstrap, pipeline)
            rows = sum(len(each.rows) for log in verdict.log.values() for each in log)
            _until_stored(tmp_path / "state", rows, sinking)
            sinking.send_signal(signal.SIGTERM)
            assert sinking.wait(60) == 0
        verdict.assert_everything_once(load.sent, at_least=True)
        chaos.happened.append(f"{verdict.repeated} decided again")
        verdict.assert_in_order()
        verdict.assert_outcomes_once(load.told)
        verdict.assert_features_of_the_oracle()
        once = [(rows, rows)]
        counted = "SELECT count(*), count(DISTINCT (source_partition, source_offset)) FROM"
        assert _ask(tmp_path / "state", f"{counted} scored") == once
        assert _ask(tmp_path / "state", f"{counted} decisions") == once
        stretches = "SELECT sum(next_offset - first_offset) FROM batches"
        assert _ask(tmp_path / "state", stretches) == [(load.sent,)]
    finally:
        print("\n".join(chaos.happened))  # noqa: T201  (shown on failure)


def _group_offsets(bootstrap: str, pipeline: Pipeline) -> dict[int, int]:
    asking = group_consumer(bootstrap, f"sluicegate.{pipeline.name}.scorer")
    try:
        partitions = [TopicPartition(pipeline.topics.events, p) for p in range(pipeline.topics.partitions)]
        return {p: at.events for p, at in committed_positions(asking, partitions).items() if at and at.events}
    finally:
        asking.close()


def _until_stored(state: Path, rows: int, keeping: Popen[bytes]) -> None:
    """Return when the keeper answers, and has so many decisions and rows."""
    pause = threading.Event()
    while True:
        assert keeping.poll() is None, (state.parent / "keeper.log").read_text()
        try:
            with KeeperClient(state) as client:
                stored = client.status()["rows"]
        except KeeperUnreachableError:  # it is about to start
            stored = {"scored": -1, "decisions": -1}
        if min(stored["scored"], stored["decisions"]) >= rows:
            return
        pause.wait(0.1)


def _ask(state: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(state / STORE), read_only=True) as store:
        return list(store.execute(query).fetchall())
