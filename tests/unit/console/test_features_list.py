"""``features list``: every feature, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli.app import app
from feature_store.declaration.load import load_pipeline

HANDBOOK = Path(__file__).resolve().parents[3] / "config" / "handbook.yaml"


@pytest.fixture
def names() -> list[str]:
    return [feature.name for feature in load_pipeline(HANDBOOK).feature_vector]


def listed(tmp_path: Path, *more: str) -> str:
    arguments = ["features", "list", "--config", str(HANDBOOK), "--state-dir", str(tmp_path), *more]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    return done.stdout


def test_programs_get_every_feature_in_the_order_of_the_vector(tmp_path: Path, names: list[str]) -> None:
    told = json.loads(listed(tmp_path, "--json"))
    assert told["pipeline"] == "handbook"
    assert [each["name"] for each in told["features"]] == names
    assert all(each["words"] and len(each["hash"]) == 16 for each in told["features"])


def test_people_get_a_table_per_entity(tmp_path: Path, names: list[str]) -> None:
    told = listed(tmp_path)
    assert "the event itself" in told
    assert "customer_id: state per partition" in told
    assert "terminal_id: state over all partitions" in told
    assert [name for name in names if name not in told] == []
