"""A stopped payment of a running system, explained: on the topic, by the command, and when all is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from console.pipeline_file import open_pipeline
from streams.kafka import Cluster
from streams.messages.explanation import Explanation
from tests.support.kafka import read_until
from tests.support.payments import SHIPPED
from tests.support.scored import fitted
from tests.support.up import COMMAND, Up
from training.keeper.client import KeeperClient, KeeperRefusedError
from training.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

pytestmark = pytest.mark.acceptance


@pytest.fixture
def up(tmp_path: Path, jar_cache: Path) -> Iterator[Up]:
    with Up(tmp_path, jar_cache, "--broker", "embedded") as started:
        started.wait_for("Ctrl-C stops everything")
        yield started


def bootstrap_of(up: Up) -> str:
    found: str = json.loads((up.folder / ".sluicegate" / "up.json").read_text())["bootstrap"]
    return found


def publish(up: Up, pipeline: Pipeline, version: str) -> None:
    """Release a model, and return when both scorers act under it."""
    cluster = Cluster.of(bootstrap_of(up), pipeline)
    publisher = Publisher(cluster, pipeline, lambda: "2026-01-05T00:00:00Z")
    publisher.publish(*fitted(pipeline, version), "for the test")


def stopped_by(up: Up, version: str) -> dict[str, dict[str, Any]]:
    """Stopped decisions of a model, at least 10, from the stream."""
    command = [*COMMAND, "tail", "--count", "1000", "--follow", "--json"]
    found: dict[str, dict[str, Any]] = {}
    with subprocess.Popen(
        command, cwd=up.folder, env=up.environment, stdout=subprocess.PIPE, text=True
    ) as tail:
        assert tail.stdout is not None
        while len(found) < 10:
            decision = json.loads(tail.stdout.readline())
            if decision["model"] == version and decision["policy_action"] != "approve":
                found[decision["event_id"]] = decision
        tail.kill()
    return found


def wait_until_stored(up: Up, event_id: str, most: int = 20_000) -> None:
    with KeeperClient(up.folder / ".sluicegate") as keeper:
        for _ in range(most):
            try:
                keeper.event(event_id)
            except KeeperRefusedError:
                continue
            return
    raise AssertionError(f"{event_id} was not stored")


def test_stopped_events_are_explained_and_their_scores_reproduced(up: Up) -> None:
    assert "explainer" in "".join(up.said)
    pipeline = open_pipeline(SHIPPED, up.folder / ".sluicegate")
    publish(up, pipeline, "m-1")
    with subprocess.Popen(
        [*COMMAND, "simulate", "--rate", "100"],
        cwd=up.folder,
        env=up.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as source:
        stopped = stopped_by(up, "m-1")
        source.kill()
    seen = read_until(
        bootstrap_of(up),
        [pipeline.topics.explanations],
        lambda seen: set(stopped) <= {dict(record.headers)["event_id"].decode() for record in seen},
    )
    explained = {
        told.event_id: told
        for told in (msgspec.json.decode(record.value, type=Explanation) for record in seen)
    }
    assert len(explained) == len(seen)
    event_id, decision = next(iter(stopped.items()))

    wait_until_stored(up, event_id)
    told = json.loads(up.ask("explain", event_id, "--json"))
    assert told["reproduced"]["equal"] is True
    assert told["reproduced"]["score"] == decision["score"]
    assert told["decision"] == decision
    assert told["scored"]["margin"] == explained[event_id].margin
    assert [reason["feature"] for reason in told["reproduced"]["reasons"]] == [
        reason.feature for reason in explained[event_id].reasons
    ]
    page = up.ask("explain", event_id)
    assert f"score {decision['score']!r}: equal to the digit" in page
    assert "no event 'nobody' is stored" in up.ask("explain", "nobody", expected=1)

    up.process.send_signal(signal.SIGINT)
    rest, _ = up.process.communicate(timeout=120)
    assert up.process.returncode == 0, rest
    offline = up.ask("explain", event_id, expected=1)
    assert "not reproduced: nothing runs in" in offline
    assert repr(decision["score"]) in offline
