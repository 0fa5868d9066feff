"""Topics on a cluster of three brokers, and decisions while one of them dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.errors import StateError
from streams.broker import KafkaUnavailableError
from streams.kafka import TopicSpec, described_topics, ensure_topics, pipeline_topics
from tests.support.cluster import running_cluster
from tests.support.kafka import Feed, read_until
from tests.support.payments import ENVIRONMENT, encoded, private_pipeline
from tests.support.processes import scorer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cluster import Cluster
    from tests.support.kafka import Seen

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]

TOTAL = 4_000


@pytest.fixture
def cluster(tmp_path: Path, jar_cache: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        try:
            found = stack.enter_context(running_cluster(tmp_path, jar_cache))
        except KafkaUnavailableError as error:
            if os.environ.get("CI"):
                pytest.fail(f"CI needs Apache Kafka: {error}", pytrace=False)
            pytest.skip(f"no Apache Kafka: {error}")
        yield found


def test_topics_survive_a_broker_and_so_does_every_decision(
    cluster: Cluster, tmp_path: Path, unique: str
) -> None:
    config, pipeline = private_pipeline(tmp_path, unique, serving={"batch": {"max_events": 40}})
    topics = pipeline.topics
    ensure_topics(cluster.bootstrap, [TopicSpec(topics.alerts, 1, 1, {"retention.ms": "60000"})])
    created = command("create", config, cluster.bootstrap)["created"]
    assert {*created, topics.alerts} == {each.name for each in pipeline_topics(pipeline)}
    made, brokers = described_topics(cluster.bootstrap, [topics.decisions])
    assert (brokers, made[topics.decisions].replication) == (3, 3)
    assert (made[topics.decisions].settings or {})["min.insync.replicas"] == "2"
    (unfit,) = (each for each in command("check", config, cluster.bootstrap, 1) if not each["fits"])
    assert unfit["topic"] == topics.alerts
    assert unfit["findings"] == [
        "replication is 1, at least 3 wanted",
        f"retention.ms is 60000, at least {topics.retention // 1_000} wanted",
    ]
    feed = Feed(cluster.bootstrap, topics.events)
    feed.send(encoded(n) for n in range(TOTAL // 2))
    with scorer(config, cluster.bootstrap) as process:
        read_until(cluster.bootstrap, [topics.decisions], lambda seen: len(seen) >= 200)
        os.kill(cluster.processes[3].pid or 0, signal.SIGKILL)
        feed.send(encoded(n) for n in range(TOTAL // 2, TOTAL))
        survivors = ",".join(str(cluster.addresses[node]) for node in (1, 2))
        decided = read_until(survivors, [topics.decisions], lambda seen: all_or_ended(seen, process), 150)
    if len(decided) < TOTAL:  # a call of Kafka's client that never came back: whoever runs it starts it again
        assert process.returncode == StateError.exit_code
        with scorer(config, survivors) as process:
            decided = read_until(survivors, [topics.decisions], lambda seen: all_or_ended(seen, process), 100)
            assert process.poll() is None
    ids = Counter(msgspec.json.decode(record.value)["event_id"] for record in decided)
    assert ids == Counter(f"e{n}" for n in range(TOTAL))


def all_or_ended(seen: Seen, process: subprocess.Popen[bytes]) -> bool:
    return len(seen) >= TOTAL or process.poll() is not None


def command(name: str, config: Path, bootstrap: str, status: int = 0) -> Any:
    """What `sluicegate topics NAME --json` prints."""
    arguments = ["topics", name, "--json", "--config", str(config), "--broker", bootstrap]
    done = subprocess.run(
        [sys.executable, "-m", "console.cli", *arguments, "--state-dir", str(config.parent / "state")],
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)
