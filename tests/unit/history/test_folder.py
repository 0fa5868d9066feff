"""A folder of history: rows, outcomes, deltas, and the state after the last event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from feature_store.duplicates import DuplicateFilter, Seen
from feature_store.log import delta_schema, log_schema
from feature_store.snapshots import install
from feature_store.store import FeatureStore
from feature_store.units import parse_duration
from streams.sources.partitions import partitions_of
from streams.sources.past_events import read_past_events
from tests.unit.history.past import OUTCOMES, WINDOWS, declared, written
from training.history.compute import compute_file
from training.history.folder import Written, write_folder, write_new_features
from training.history.online import online_features
from training.history.order import in_order
from training.keeper.history import read_history

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.sources.past_events import PastEvents

HOURS = sorted([float(n % 90) for n in range(120)])
FRAUDS = [0, 7, 20, 110]


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture(params=[WINDOWS[:1], [*WINDOWS, *OUTCOMES]], ids=["per partition", "over all"])
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    return declared(*request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture
def done(pipeline: Pipeline, tmp_path: Path, folder: Path) -> Written:
    file = written(tmp_path, HOURS, FRAUDS, customers=7)
    return write_folder(pipeline, read_past_events(pipeline, file), folder, quiet)


def test_rows_are_those_of_the_log(pipeline: Pipeline, done: Written, folder: Path) -> None:
    rows = pq.read_table(folder / "scored.parquet")
    assert rows.schema.equals(log_schema(pipeline))
    assert rows.num_rows == len(HOURS)
    for partition in range(3):
        of_it = rows.filter(pc.field("source_partition") == partition)
        assert of_it["source_offset"].to_pylist() == list(range(-of_it.num_rows, 0))
    assert set(rows["action"].to_pylist()) == {"approve"}
    assert set(rows["fallback"].to_pylist()) == {"history"}
    assert set(rows["propensity"].to_pylist()) == {1.0}
    assert {rows[name].null_count for name in ("model", "score", "margin", "engine")} == {len(HOURS)}
    assert rows["arrived_at"].equals(rows["at"])
    assert rows["decided_seq"].equals(rows["seq"])


def test_features_are_those_that_compute_writes(
    pipeline: Pipeline, done: Written, folder: Path, tmp_path: Path
) -> None:
    compute_file(pipeline, tmp_path / "past.parquet", "online", tmp_path / "out.parquet", quiet)
    rows, computed = pq.read_table(folder / "scored.parquet"), pq.read_table(tmp_path / "out.parquet")
    for feature in pipeline.feature_vector:
        assert rows[feature.name].equals(computed[feature.name])


def test_every_fraud_has_an_outcome_and_what_is_known_a_delta(
    pipeline: Pipeline, done: Written, folder: Path
) -> None:
    outcomes = pq.read_table(folder / "outcomes.parquet")
    assert outcomes["event_id"].to_pylist() == [f"e{n}" for n in FRAUDS]
    assert outcomes["partition"].to_pylist() == [-1] * 4
    rows = {each["id"]: each for each in pq.read_table(folder / "scored.parquet").to_pylist()}
    delay = np.timedelta64(parse_duration("2d"), "us").item()
    assert all(each["arrived_at"] == rows[each["event_id"]]["at"] + delay for each in outcomes.to_pylist())
    deltas = pq.read_table(folder / "deltas.parquet")
    assert deltas.schema.equals(delta_schema(pipeline))
    assert deltas.num_rows == (3 if pipeline.outcome_fields else 0)
    assert (done.frauds, done.known) == (4, deltas.num_rows)


def test_it_says_what_it_holds(pipeline: Pipeline, done: Written, folder: Path) -> None:
    history = read_history(folder)
    assert history == done.history
    assert (history.pipeline, history.rows, history.only_new) == ("past", len(HOURS), None)
    assert history.features == {feature.name: feature.hash for feature in pipeline.feature_vector}


def test_a_store_with_the_snapshots_goes_on_as_if_it_had_seen_everything(
    pipeline: Pipeline, done: Written, tmp_path: Path
) -> None:
    longer = [*HOURS, *(90.0 + n / 2 for n in range(30))]
    past = read_past_events(pipeline, written(tmp_path, longer, [], customers=7))
    order = in_order(pipeline, past, pipeline.topics.partitions)
    store = FeatureStore(pipeline)
    filters = {}
    for partition in range(pipeline.topics.partitions):
        store.add_partition(partition)
        filters[partition] = DuplicateFilter(pipeline.decision.duplicates)
    for snapshot in done.snapshots:
        held, lacking = install(snapshot, store, filters)
        assert held
        assert not lacking
        assert {each.events for each in snapshot.positions.values()} == {0}
        assert snapshot.seq == len(HOURS) + done.known
    (later,) = past.events.slice(len(HOURS)).combine_chunks().to_batches()
    found = store.observe(later, order.partitions[len(HOURS) :].astype(np.int64))
    file = written(tmp_path, longer, FRAUDS, customers=7)
    # Only what was known by the end of the first file is in its state: the last fraud is not.
    whole = read_past_events(pipeline, file)
    whole.fraud[110] = False
    whole_order = in_order(pipeline, whole, pipeline.topics.partitions)
    assert whole_order.deltas.num_rows == done.known
    expected = _uninterrupted(pipeline, whole)
    np.testing.assert_array_equal(found, expected[len(HOURS) :])


def _uninterrupted(pipeline: Pipeline, past: PastEvents) -> Matrix:
    order = in_order(pipeline, past, pipeline.topics.partitions)
    store = FeatureStore(pipeline)
    for partition in range(pipeline.topics.partitions):
        store.add_partition(partition)
    found: Matrix = np.vstack([matrix for _, _, matrix in online_features(order, store)])
    return found


def test_the_last_ids_are_known_whatever_their_body(pipeline: Pipeline, done: Written) -> None:
    known: dict[int, DuplicateFilter] = {}
    for snapshot in done.snapshots:
        for partition in snapshot.positions:
            known[partition] = DuplicateFilter(pipeline.decision.duplicates)
            known[partition].load(snapshot.arrays[f"duplicates/{partition}"])
    last = done.history.last_event_time
    seen = [each.look("e119", b"whatever body 16", last + 1) for each in known.values()]
    assert sorted(each.value for each in seen) == ["duplicate", "new", "new"]
    assert all(each.look("e0", b"whatever body 16", last + 1) is Seen.NEW for each in known.values())


def test_only_new_features_of_a_file(pipeline: Pipeline, tmp_path: Path, folder: Path) -> None:
    past = read_past_events(pipeline, written(tmp_path, HOURS, FRAUDS, customers=7))
    history = write_new_features(pipeline, past, ["customer_count_24h"], folder, quiet)
    assert history.only_new == ["customer_count_24h"]
    assert list(history.features) == ["customer_count_24h"]
    rows = pq.read_table(folder / "scored.parquet")
    assert rows.column_names == ["event_id", "customer_count_24h"]
    compute_file(pipeline, tmp_path / "past.parquet", "offline", tmp_path / "out.parquet", quiet)
    assert rows["customer_count_24h"].equals(pq.read_table(tmp_path / "out.parquet")["customer_count_24h"])


def test_a_staged_history_has_the_same_features_and_a_state_of_every_stage(
    tmp_path: Path, folder: Path
) -> None:
    windows = [*WINDOWS, OUTCOMES[0]]
    plain = declared(*windows)
    pipeline = declared(features={"staged": True, "rows": {"large": "amount > 5"}, "windows": windows})
    past = read_past_events(pipeline, written(tmp_path, HOURS, FRAUDS, customers=7))
    done = write_folder(pipeline, past, folder, quiet)
    compute_file(plain, tmp_path / "past.parquet", "offline", tmp_path / "out.parquet", quiet)
    rows, computed = pq.read_table(folder / "scored.parquet"), pq.read_table(tmp_path / "out.parquet")
    assert rows.schema.equals(log_schema(pipeline.deciding))
    assert set(rows["stage"].to_pylist()) == {1}
    assert all(rows[each.name].equals(computed[each.name]) for each in pipeline.feature_vector)
    for key, place in (("customer", "origin_partition"), ("terminal", "source_partition")):
        assert rows[place].to_numpy().tolist() == partitions_of(rows[key].combine_chunks(), 3).tolist()
    units = [f"partition-{partition}" for partition in range(3)]
    assert [(each.pipeline, each.unit) for each in done.snapshots] == [
        *(("past.stage-0", unit) for unit in units),
        *(("past", unit) for unit in units),
    ]
