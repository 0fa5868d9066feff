"""``sluicegate backtest`` on a small file of past events, by either library."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from feature_store.units import from_text

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400_000_000
BEGIN = from_text("2026-01-05T00:00:00Z")
DAYS, PER_DAY = 20, 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline file, and twenty days in which most large payments are fraud."""
    place = tmp_path_factory.mktemp("backtest")
    declared = {
        "pipeline": "past",
        "event": {
            "id": "id",
            "time": "at",
            "key": "card",
            "fields": {"id": "string", "at": "timestamp", "card": "integer", "amount": "decimal(12,2)"},
            "file": {"label": {"column": "fraud", "delay": "2d", "source": "history"}},
        },
        "features": {
            "rows": {"paid": "amount"},
            "windows": [{"entity": "card", "windows": ["24h"], "count": True}],
        },
        "outcomes": {"sources": {"history": "2d"}},
        "decision": {"costs": {"amount": "amount", "review": 4, "false_decline": 15}},
        "training": {"history": "8d", "judged": "4d", "gap": "1d"},
    }
    (place / "pipeline.yaml").write_text(yaml.safe_dump(declared), encoding="utf-8")
    pq.write_table(drawn(), place / "past.parquet")
    return place


def drawn() -> pa.Table:
    random = np.random.default_rng(3)
    rows = DAYS * PER_DAY
    time = BEGIN + np.sort(random.integers(0, DAYS * DAY, rows))
    amount = np.round(random.gamma(2, 40, rows), 2)
    fraud = random.random(rows) < np.where(amount > 180, 0.8, 0.01)
    return pa.table(
        {
            "id": [f"e{n}" for n in range(rows)],
            "at": pa.array(time).cast(pa.timestamp("us")),
            "card": random.integers(0, 300, rows),
            "amount": pa.array(amount),
            "fraud": fraud,
        }
    )


def sluicegate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console.cli", "backtest", "--config", str(folder / "pipeline.yaml")]
    command += ["--events", str(folder / "past.parquet"), "--state-dir", str(folder / "state"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("algorithm", ["lightgbm", "xgboost"])
def test_every_fold_is_told_and_their_mean(folder: Path, algorithm: str) -> None:
    ended = sluicegate(
        folder, "--first-test", "2026-01-15", "--folds", "2", "--algorithm", algorithm, "--json"
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    first, second = told["folds"]
    assert [first[f"{each}_{end}"][:10] for each in ("trained", "tested") for end in ("from", "until")] == [
        "2026-01-05",
        "2026-01-13",
        "2026-01-15",
        "2026-01-19",
    ]
    assert second["tested_from"] == first["tested_until"]
    assert (told["algorithm"], told["drop_known_entities"]) == (algorithm, False)
    for fold in told["folds"]:
        assert fold["average_precision"] > 0.5
        assert fold["roc_auc"] > 0.7
        assert 0 < fold["card_precision_100"] <= fold["frauds"] / 400
        assert fold["rounds"] > 0
    table = pq.read_table(folder / "past.parquet")
    times = table["at"].cast(pa.int64()).to_numpy()
    tested = (times >= BEGIN + 10 * DAY) & (times < BEGIN + 14 * DAY)
    assert first["rows"] == int(tested.sum())
    assert first["frauds"] == int(table["fraud"].to_numpy()[tested].sum())
    for name, value in told["mean"].items():
        assert value == pytest.approx((first[name] + second[name]) / 2)


def test_events_of_known_cards_can_be_left_out(folder: Path) -> None:
    ended = sluicegate(folder, "--first-test", "2026-01-15", "--drop-known-entities", "--json")
    assert ended.returncode == 0, ended.stderr
    (fold,) = json.loads(ended.stdout)["folds"]
    assert fold["dropped"] > 0
    table = pq.read_table(folder / "past.parquet")
    times = table["at"].cast(pa.int64()).to_numpy()
    assert fold["rows"] + fold["dropped"] == int(
        ((times >= BEGIN + 10 * DAY) & (times < BEGIN + 14 * DAY)).sum()
    )


def test_people_get_a_table(folder: Path) -> None:
    ended = sluicegate(folder, "--first-test", "2026-01-15")
    assert ended.returncode == 0, ended.stderr
    assert "average precision" in ended.stdout
    assert "2026-01-15 to 2026-01-19" in ended.stdout


def test_a_stretch_without_frauds_is_refused_with_what_to_do(folder: Path) -> None:
    ended = sluicegate(folder, "--first-test", "2026-03-01")
    assert ended.returncode == 2
    assert "fold 1: 0 frauds among 0 events trained on" in ended.stderr
    assert "--first-test" in ended.stderr
