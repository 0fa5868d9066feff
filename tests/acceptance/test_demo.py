"""`sluicegate demo` as a whole: what it shows, and that its verdict can be believed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.support.up import words_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

KEYS = {
    "events", "decisions", "dead_letters", "duplicates", "lost", "models_published", "swaps", "latency_ms",
    "average_precision", "broker",
}  # fmt: skip


def start(folder: Path, cache: Path, *options: str) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLUICEGATE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "console.cli", "demo", "--no-view", *options],
        cwd=folder,
        env={**inherited, "SLUICEGATE_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}:\n{''.join(said)}")


def report_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / ".sluicegate" / "demo-report.json").read_text())
    return found


@pytest.mark.kafka
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_loop_closes_on_apache_kafka(tmp_path: Path, jar_cache: Path) -> None:
    # five nights have enough matured labels: the gate may refuse some of them, as it should
    options = ("--broker", "kafka", "--events", "84000", "--days", "10", "--seconds", "66")
    with start(tmp_path, jar_cache, *options) as demo:
        said, _ = demo.communicate()
    assert demo.returncode == 0, said
    report = report_of(tmp_path)
    assert set(report) == KEYS
    assert report["lost"] == report["duplicates"] == 0
    assert report["events"] > 50_000
    assert report["dead_letters"] > 0
    assert report["decisions"] + report["dead_letters"] <= report["events"]
    assert min(report["models_published"], report["swaps"]) >= 2  # one that is taken back is a swap, too
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"] <= report["latency_ms"]["p999"]
    assert report["broker"]["kind"] == "kafka"


def test_killed_scorer_loses_nothing_and_too_few_models_fail(tmp_path: Path, jar_cache: Path) -> None:
    options = ("--broker", "embedded", "--events", "6000", "--days", "1", "--seconds", "8")
    with start(tmp_path, jar_cache, *options) as demo:
        read_until(demo, "monitor: ")
        read_until(demo, "events, ")
        victim = next(
            child
            for child in psutil.Process(demo.pid).children(recursive=True)
            if words_of(child)[3:4] == ["scorer"]
        )
        victim.kill()
        said, _ = demo.communicate()
    assert demo.returncode == 1
    assert "ended_unexpectedly" in said
    assert "sluicegate: the scheduler published 0 model versions" in said
    report = report_of(tmp_path)
    assert (report["lost"], report["duplicates"]) == (0, 0)
    assert report["events"] > 3_000


def test_interrupted_demo_gives_no_verdict_and_leaves_nothing(tmp_path: Path, jar_cache: Path) -> None:
    with start(tmp_path, jar_cache, "--broker", "embedded") as demo:
        read_until(demo, "monitor: ")
        running = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(signal.SIGINT)
        said, _ = demo.communicate()
    assert demo.returncode == 130
    assert "no verdict" in said
    _, left = psutil.wait_procs(running, timeout=60)
    assert left == []
    assert not (tmp_path / ".sluicegate" / "demo-report.json").exists()
