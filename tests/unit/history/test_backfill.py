"""From a file to the keeper's history and the scorers' state, and the check of what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feature_store.duck import open_store
from feature_store.errors import ConfigError, ContractError
from tests.unit.history.past import OUTCOMES, WINDOWS, declared, written
from training.history.backfill import Backfilled, backfill, backfill_new, scratch
from training.history.keeper import KeptHistory
from training.history.logged import check_history
from training.keeper.store import STORE

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.history.check import Checked

HOURS = sorted([float(n % 90) for n in range(120)])
FRAUDS = [0, 7, 20, 110]


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def pipeline() -> Pipeline:
    return declared(*WINDOWS, *OUTCOMES)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def filled(pipeline: Pipeline, tmp_path: Path, state: Path) -> Backfilled:
    file = written(tmp_path, HOURS, FRAUDS, customers=7)
    return backfill(pipeline, file, state, KeptHistory(pipeline, state), quiet)


def checked(pipeline: Pipeline, state: Path) -> Checked:
    with scratch(state) as folder:
        KeptHistory(pipeline, state).export(folder)
        return check_history(pipeline, folder, quiet)


def change(state: Path, statement: str) -> None:
    store = open_store(state / STORE)
    store.execute(statement)
    store.close()


def left_behind(state: Path) -> list[str]:
    return sorted(path.name for path in state.rglob("*.snapshot"))


def test_history_and_state_are_there_and_nothing_else(
    pipeline: Pipeline, tmp_path: Path, state: Path
) -> None:
    done = filled(pipeline, tmp_path, state)
    assert (done.rows, done.frauds, done.known) == (120, 4, 3)
    assert len(left_behind(state)) == 1  # terminals have one state over all partitions
    assert sorted(path.name for path in state.iterdir()) == ["keeper.duckdb", "keeper.lock", "snapshots"]


def test_a_pipeline_of_partitions_has_a_snapshot_for_each(tmp_path: Path, state: Path) -> None:
    filled(declared(WINDOWS[0]), tmp_path, state)
    assert len(left_behind(state)) == 3


def test_what_was_filled_in_is_what_the_twin_computes(
    pipeline: Pipeline, tmp_path: Path, state: Path
) -> None:
    filled(pipeline, tmp_path, state)
    found = checked(pipeline, state)
    assert (found.rows, found.late, found.differences) == (120, 0, 0)
    assert {(each.rows, each.other) for each in found.features} == {(120, 0)}


def test_the_same_again_is_no_second_history(pipeline: Pipeline, tmp_path: Path, state: Path) -> None:
    filled(pipeline, tmp_path, state)
    filled(pipeline, tmp_path, state)
    assert checked(pipeline, state).rows == 120


def test_another_history_is_refused_and_leaves_no_state(
    pipeline: Pipeline, tmp_path: Path, state: Path
) -> None:
    filled(pipeline, tmp_path, state)
    before = left_behind(state)
    other = written(tmp_path, HOURS[:50], FRAUDS)
    with pytest.raises(ContractError, match="history"):
        backfill(pipeline, other, state, KeptHistory(pipeline, state), quiet)
    assert left_behind(state) == before
    assert sorted(path.name for path in state.iterdir()) == ["keeper.duckdb", "keeper.lock", "snapshots"]


def test_a_changed_value_is_found_with_its_event(pipeline: Pipeline, tmp_path: Path, state: Path) -> None:
    filled(pipeline, tmp_path, state)
    change(state, "UPDATE scored SET customer_count_24h = customer_count_24h + 1 WHERE event_id = 'e33'")
    found = {each.name: each for each in checked(pipeline, state).features}
    wrong = found.pop("customer_count_24h")
    assert (wrong.differences, wrong.largest) == (1, 1.0)
    assert wrong.example is not None
    assert wrong.example.event_id == "e33"
    assert not any(each.differences for each in found.values())


def test_late_rows_are_left_out_and_counted(pipeline: Pipeline, tmp_path: Path, state: Path) -> None:
    filled(pipeline, tmp_path, state)
    change(state, "UPDATE scored SET late = true, customer_count_24h = -1 WHERE event_id IN ('e3', 'e4')")
    found = checked(pipeline, state)
    assert (found.rows, found.late, found.differences) == (120, 2, 0)
    assert {each.rows for each in found.features} == {118}


def test_a_feature_that_changed_is_not_compared_with_what_it_was(
    pipeline: Pipeline, tmp_path: Path, state: Path
) -> None:
    filled(pipeline, tmp_path, state)
    changed = declared(*WINDOWS, *OUTCOMES, features={"rows": {"large": "amount > 6"}})
    changed = changed.model_copy(
        update={"features": pipeline.features.model_copy(update={"rows": changed.features.rows})}
    )
    found = {each.name: each for each in checked(changed, state).features}
    assert (found["large"].rows, found["large"].other, found["large"].differences) == (0, 120, 0)
    assert found["customer_count_24h"].rows == 120


def test_new_features_are_filled_in_for_what_is_stored(tmp_path: Path, state: Path) -> None:
    old, new = declared(WINDOWS[0], OUTCOMES[1]), declared(*WINDOWS, *OUTCOMES)
    filled(old, tmp_path, state)
    file = tmp_path / "past.parquet"
    done = backfill_new(new, file, state, KeptHistory(new, state), quiet)
    names = [feature.name for feature in new.feature_vector if feature not in old.feature_vector]
    assert (done.rows, done.features) == (120, names)
    found = checked(new, state)
    assert {(each.rows, each.differences) for each in found.features} == {(120, 0)}
    with pytest.raises(ConfigError, match="nothing new"):
        backfill_new(new, file, state, KeptHistory(new, state), quiet)


def test_outcomes_that_history_did_not_see_are_not_filled_in(tmp_path: Path, state: Path) -> None:
    old, new = declared(WINDOWS[0]), declared(*WINDOWS, OUTCOMES[0])
    filled(old, tmp_path, state)
    file, kept = tmp_path / "past.parquet", KeptHistory(new, state)
    with pytest.raises(ConfigError, match=r"terminal_frauds.*of 3 frauds the stored history does not say"):
        backfill_new(new, file, state, kept, quiet)
    others = declared(*WINDOWS)
    assert backfill_new(others, file, state, KeptHistory(others, state), quiet).rows == 120
    assert checked(others, state).differences == 0


def test_outcomes_are_not_filled_in_for_what_was_decided_live(tmp_path: Path, state: Path) -> None:
    old, new = declared(WINDOWS[0], OUTCOMES[1]), declared(WINDOWS[0], *OUTCOMES)
    filled(old, tmp_path, state)
    change(state, "UPDATE scored SET source_offset = 7 WHERE event_id = 'e119'")
    with pytest.raises(ConfigError, match="1 events of the file were decided live"):
        backfill_new(new, tmp_path / "past.parquet", state, KeptHistory(new, state), quiet)


def test_a_file_without_events_is_refused(pipeline: Pipeline, tmp_path: Path, state: Path) -> None:
    with pytest.raises(ConfigError, match="holds no events"):
        backfill(pipeline, written(tmp_path, [], []), state, KeptHistory(pipeline, state), quiet)
    assert not state.exists()
