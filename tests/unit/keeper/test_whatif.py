"""``sluicegate whatif`` on a keeper's store, while no keeper runs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from console.cli.app import app
from feature_store.errors import SluicegateError
from tests.unit.keeper.past import add_live
from training.keeper.store import STORE, open_keeper_store

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


@pytest.fixture
def state(pipeline: Pipeline, tmp_path: Path) -> Path:
    """Ten approved payments with a score of one half; somebody says that the first was a fraud."""
    store = open_keeper_store(tmp_path / STORE, pipeline)
    add_live(store, pipeline, 0, 10, amount=100, score=0.5, margin=0.0, model="v1")
    store.execute(
        "INSERT INTO outcomes BY NAME SELECT 'e0-0' AS event_id, 'fraud' AS label, 'analyst' AS source, "
        "arrived_at + INTERVAL 9 DAY AS observed_at, arrived_at + INTERVAL 9 DAY AS arrived_at, "
        '0 AS "partition", 0 AS "offset" FROM scored WHERE event_id = \'e0-0\''
    )
    store.close()
    return tmp_path


def whatif(config: Path, state: Path, *arguments: str) -> dict[str, Any]:
    command = ["whatif", "--config", str(config), "--state-dir", str(state), "--json", *arguments]
    ended = CliRunner().invoke(app, command, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def test_a_threshold_turns_all_of_them_into_reviews(config: Path, state: Path) -> None:
    told = whatif(config, state, "--review", "0.4", "--cost", "review=3")
    assert (told["events"], told["labelled"], told["changed"]) == (10, 10, 10)
    assert told["really"]["asked"] == {"approve": 10, "review": 0, "decline": 0}
    assert told["what_if"]["asked"] == {"approve": 0, "review": 10, "decline": 0}
    assert (told["really"]["lost"], told["what_if"]["lost"]) == (100, 30)
    assert (told["really"]["recall"], told["what_if"]["recall"]) == (0, 1)
    assert [(day["reviews_really"], day["reviews_what_if"]) for day in told["days"]] == [(0, 10)]


def test_the_store_is_left_as_it_was(config: Path, state: Path) -> None:
    before = {file.name for file in state.iterdir()}
    whatif(config, state)
    assert {file.name for file in state.iterdir()} - before <= {"keeper.lock"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cost", "review=inf"], "--cost 'review=inf': expected NAME=NUMBER"),
        (["--cost", "review=nan"], "--cost 'review=nan': expected NAME=NUMBER"),
        (["--since", "2026-02-01", "--until", "2026-01-01"], "--since 2026-02-01 00:00:00 is not before"),
        (["--review", "0.9", "--decline", "0.5"], "review at 0.9 is above decline at 0.5"),
    ],
)
def test_what_cannot_be_asked(config: Path, state: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(SluicegateError, match=re.escape(words)):
        whatif(config, state, *arguments)


def test_a_stretch_without_decisions_is_told_in_words(config: Path, state: Path) -> None:
    command = ["whatif", "--config", str(config), "--state-dir", str(state), "--since", "2100-01-01"]
    ended = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "No decision is stored" in ended.output
