"""From a file of past events to live decisions whose windows are full, through a kill; all of it checked."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from streams.sources import Scenario, write_parquet
from tests.support.payments import shipped_tree
from tests.support.up import COMMAND, Up

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
EVERYTHING: dict[str, Any] = {
    "entity": "customer_id", "windows": ["24h", "3d"], "frauds": True, "fraud_rate": True, "std": "amount",
    "distinct": "country", "last": {"amount": 2}, "since_last": True,
}  # fmt: skip
BROKERS = [pytest.param("kafka", marks=pytest.mark.kafka), "embedded"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    tree = shipped_tree()
    tree["clock"] = "stream"
    tree["event"]["file"] = {"label": {"column": "fraud", "delay": "12h", "source": "chargeback"}}
    tree["features"]["windows"].append(EVERYTHING)
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return path


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "whole.parquet"
    write_parquet(Scenario(days=4, events_per_day=600, seed=3, start=START), path)
    return path


def asked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments, "--config", "pipeline.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def checked_when_stored(up: Up, rows: int) -> dict[str, Any]:
    """What the check says once the keeper has stored ``rows`` events; each look takes its time."""
    told: dict[str, Any] = {}
    for _ in range(60):
        told = json.loads(up.ask("features", "check", "--config", "pipeline.yaml", "--json"))
        if told["rows"] >= rows:
            return told
    raise AssertionError(f"{told['rows']} of {rows} events were stored")


@pytest.mark.parametrize("broker", BROKERS)
def test_windows_are_full_from_the_first_live_event(
    tmp_path: Path, jar_cache: Path, config: Path, whole: Path, broker: str
) -> None:
    table = pq.read_table(whole)
    live_from = (START + 2 * DAY).replace(tzinfo=None)
    pq.write_table(table.filter(pc.field("event_time") < live_from), tmp_path / "past.parquet")
    first = asked(tmp_path, "backfill", "past.parquet")
    assert first.returncode == 0, first.stderr
    assert "events are history now" in first.stdout

    with Up(tmp_path, jar_cache, "--broker", broker, "--config", "pipeline.yaml") as up:
        up.wait_for("Ctrl-C stops everything")
        late = up.ask("backfill", "past.parquet", "--config", "pipeline.yaml", expected=2)
        assert "stop it, backfill, and start it again" in late
        replay = ("replay", "whole.parquet", "--config", "pipeline.yaml")
        day = f"{START + 3 * DAY:%Y-%m-%d}"
        up.ask(*replay, "--since", f"{START + 2 * DAY:%Y-%m-%d}", "--until", day)
        before = table.filter(pc.field("event_time") < (START + 3 * DAY).replace(tzinfo=None)).num_rows
        checked_when_stored(up, before)
        up.scorer(1).kill()
        up.wait_for("scorer-1 warning: ended_unexpectedly")
        up.ask(*replay, "--since", day)
        told = checked_when_stored(up, table.num_rows)
        up.process.send_signal(signal.SIGINT)
        up.process.communicate(timeout=120)
    assert told["rows"] == table.num_rows
    assert told["differences"] == 0
    assert {(each["rows"], each["other"]) for each in told["features"]} == {
        (table.num_rows - told["late"], 0)
    }

    again = asked(tmp_path, "backfill", "past.parquet")
    assert again.returncode != 0
    assert "was imported before" in again.stderr
