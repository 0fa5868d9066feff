"""`sluicegate up` as its users meet it: started, used, disturbed, stopped."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.support.up import COMMAND, Up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.acceptance

BROKERS = [pytest.param("kafka", marks=pytest.mark.kafka), "embedded"]


@pytest.fixture(params=BROKERS)
def up(request: pytest.FixtureRequest, tmp_path: Path, jar_cache: Path) -> Iterator[Up]:
    with Up(tmp_path, jar_cache, "--broker", request.param) as started:
        started.wait_for("Ctrl-C stops everything")
        yield started


def test_used_disturbed_and_stopped(up: Up) -> None:
    assert "is up: 2 scorers, keeper, explainer, monitor" in "".join(up.said)
    assert "already runs here" in up.ask("up", expected=2)

    sent = json.loads(up.ask("simulate", "--limit", "300", "--json"))
    assert sent["events"] == 300
    up.scorer(1).kill()
    up.wait_for("scorer-1 warning: ended_unexpectedly")
    up.ask("simulate", "--limit", "300", "--seed", "8", "--json")

    decided = _decisions(up, 590)
    assert len({decision["event_id"] for decision in decided}) == len(decided)
    assert {decision["fallback"] for decision in decided} == {"cold_start"}
    assert "cold_start" in up.ask("tail", "--count", "3")
    assert all(topic["fits"] for topic in json.loads(up.ask("topics", "check", "--json")))
    assert "no model yet" in up.ask("models", "list")
    assert "says" in up.ask("models", "rollback", expected=1)
    up.ask("dlq", "list", "--json")
    secrets = up.folder / ".sluicegate" / "secrets.json"
    assert secrets.stat().st_mode & 0o777 == 0o600
    (key,) = json.loads(secrets.read_text()).values()
    assert key not in (up.folder / ".sluicegate" / "log" / "sluicegate.jsonl").read_text()

    running = up.descendants()
    up.process.send_signal(signal.SIGINT)
    rest, _ = up.process.communicate(timeout=120)
    assert up.process.returncode == 0, rest
    assert "stopped" in rest
    _, left = psutil.wait_procs(running, timeout=60)
    assert left == []
    stopped = [line["process"] for line in up.log() if str(line["event"]).endswith("_stopped")]
    assert stopped.index("keeper") > max(stopped.index("scorer-0"), stopped.index("scorer-1"))
    assert "nothing runs" in up.ask("tail", expected=3)


def test_nothing_outlives_a_killed_up(up: Up) -> None:
    running = up.descendants()
    up.process.kill()
    _, left = psutil.wait_procs(running, timeout=120)
    assert left == []


def test_wrong_pipeline_file_is_told_before_anything_starts(tmp_path: Path, jar_cache: Path) -> None:
    config = tmp_path / "config" / "payments.yaml"
    config.parent.mkdir()
    config.write_text("pipeline: payments\n")
    with Up(tmp_path, jar_cache, "--broker", "embedded") as up:
        said, _ = up.process.communicate(timeout=120)
    assert up.process.returncode == 2
    assert "sluicegate: config/payments.yaml: event: missing" in said


def _decisions(up: Up, count: int) -> list[dict[str, Any]]:
    """At least ``count`` decisions, awaited in the stream that `tail --follow` gives."""
    with subprocess.Popen(
        [*COMMAND, "tail", "--count", "1000", "--follow", "--json"],
        cwd=up.folder,
        env=up.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as tail:
        assert tail.stdout is not None
        found = [json.loads(tail.stdout.readline()) for _ in range(count)]
        tail.kill()
    return found
