"""What the trainer is given."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import duckdb
import msgspec
import pytest

from feature_store.errors import ContractError
from feature_store.units import to_text
from tests.unit.keeper.test_publish import manifest
from tests.unit.keeper.written import MINUTE, START, write_batches, write_outcomes
from training.keeper.runs import Run, Runs
from training.keeper.snapshot import prepare_run_folder

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts


def test_a_champion_whose_manifest_may_not_be_used_fails_the_run(parts: Parts, runs: Runs) -> None:
    made = manifest(parts.pipeline, 1, b"trees")
    parts.publisher.publish(made, b"trees", "test")
    models = parts.publisher.read()
    models.manifests.clear()  # as after its key is no longer trusted
    run = runs.request("command", START)
    with pytest.raises(ContractError, match="no manifest of it"):
        prepare_run_folder(parts.run_folder(run.run_id), run, parts.pipeline, parts.store, models)


def test_the_snapshot_is_what_had_arrived_by_then_without_personal_data(
    parts: Parts, pipeline: Pipeline, bootstrap: str
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=30)
    said = {"event_id": "e0-1", "label": "fraud", "observed_at": to_text(START), "source": "analyst"}
    for arrived in (START + 5 * MINUTE, START + 20 * MINUTE):
        write_outcomes(pipeline, bootstrap, [msgspec.json.encode(said)], arrived)
    ends = parts.ends()
    assert parts.progress.wait_for(ends, threading.Event())
    run = Run("r", "command", START + 10 * MINUTE, False, "due", 0)
    folder = parts.run_folder("r")
    prepare_run_folder(folder, run, pipeline, parts.store, parts.publisher.read())
    scored = duckdb.read_parquet(str(folder / "snapshot" / "scored.parquet"))
    outcomes = duckdb.read_parquet(str(folder / "snapshot" / "outcomes.parquet"))
    assert scored.aggregate("count(*), epoch_us(max(arrived_at))").fetchall() == [(22, run.as_of)]
    assert len(outcomes.fetchall()) == 1
    assert "holder" not in scored.columns
    assert {"card", "amount", "amount_eur", "card_count_1h", "propensity"} <= set(scored.columns)
