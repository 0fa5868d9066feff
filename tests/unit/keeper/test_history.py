"""History goes in once, whole, before the first live event; and out again as it was stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from feature_store.errors import ContractError, StorageError
from streams.broker.errors import StateInUseError
from streams.broker.state_lock import exclusive
from tests.unit.keeper.past import (
    add_live,
    delta_rows,
    hashes,
    outcome_rows,
    past_rows,
    whole_history,
)
from tests.unit.keeper.test_routing import Keeper, counting_frauds, rows_of
from tests.unit.keeper.written import MINUTE, START
from training.keeper.history_export import export_history, export_history_offline
from training.keeper.history_import import import_history, import_history_offline
from training.keeper.store import STORE, open_keeper_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection


@pytest.fixture
def counting(pipeline: Pipeline) -> Pipeline:
    return counting_frauds(pipeline)


@pytest.fixture
def store(counting: Pipeline, tmp_path: Path) -> Iterator[Connection]:
    opened = open_keeper_store(tmp_path / STORE, counting)
    yield opened
    opened.close()


def test_a_history_goes_in_with_what_was_known(store: Connection, counting: Pipeline, tmp_path: Path) -> None:
    folder = whole_history(tmp_path / "history", counting)
    assert import_history(store, counting, tmp_path, folder) == {
        "rows": 20,
        "only_new": None,
        "again": False,
    }
    assert rows_of(store, "SELECT count(*) AS n, max(source_offset) AS newest FROM scored") == [
        {"n": 20, "newest": -1}
    ]
    assert rows_of(store, 'SELECT count(*) AS n, max("partition") AS p FROM outcomes') == [{"n": 3, "p": -1}]
    assert rows_of(store, "SELECT event_id, route_seq FROM deltas ORDER BY ALL") == [
        {"event_id": "h0-3", "route_seq": 1},
        {"event_id": "h0-5", "route_seq": 2},
    ]
    of_rows = "SELECT DISTINCT name, hash FROM placed_rows JOIN definitions ON digest = definitions"
    assert {row["name"]: row["hash"] for row in rows_of(store, of_rows)} == hashes(counting)


def test_deltas_that_were_applied_are_routed_and_what_is_known_beyond_them_is_next(
    store: Connection, counting: Pipeline, tmp_path: Path
) -> None:
    import_history(store, counting, tmp_path, whole_history(tmp_path / "history", counting))
    assert rows_of(store, "SELECT sent FROM routing") == [{"sent": 2}]
    assert rows_of(store, "SELECT route_seq, event_id, source_partition FROM outbox WHERE route_seq > 2") == [
        {"route_seq": 3, "event_id": "h1-4", "source_partition": 1}
    ]
    keeper = Keeper(store, counting)
    assert keeper.step(("h0-3", "legitimate", "analyst", 90), events=("e0-1",)) == [("h0-3", -1)]
    assert keeper.step(("e0-1", "fraud", "analyst", 91)) == [("e0-1", 1)]


def test_an_outcome_that_waited_for_its_past_event_is_routed(
    store: Connection, counting: Pipeline, tmp_path: Path
) -> None:
    Keeper(store, counting).step(("h0-7", "fraud", "analyst", 3))
    import_history(store, counting, tmp_path, whole_history(tmp_path / "history", counting))
    assert rows_of(store, "SELECT event_id FROM outbox WHERE route_seq > 2 ORDER BY route_seq") == [
        {"event_id": "h1-4"},
        {"event_id": "h0-7"},
    ]
    assert rows_of(store, "FROM waiting") == []


def test_a_history_goes_in_before_the_first_keeper_runs(counting: Pipeline, tmp_path: Path) -> None:
    state = tmp_path / "new"
    folder = whole_history(state / "history", counting)
    assert import_history_offline(state, counting, folder)["rows"] == 20
    store = open_keeper_store(state / STORE, counting)
    assert rows_of(store, "SELECT count(*) AS n FROM scored") == [{"n": 20}]
    store.close()


def test_the_same_history_once_more_changes_nothing_until_live_events_come(
    store: Connection, counting: Pipeline, tmp_path: Path
) -> None:
    folder = whole_history(tmp_path / "history", counting)
    import_history(store, counting, tmp_path, folder)
    assert import_history(store, counting, tmp_path, folder)["again"] is True
    assert rows_of(store, "SELECT count(*) AS n FROM scored") == [{"n": 20}]
    add_live(store, counting, 0, 1)
    with pytest.raises(ContractError, match="was imported before"):
        import_history(store, counting, tmp_path, folder)


def test_an_outcome_that_history_knows_ahead_of_the_clock_is_routed_when_the_clock_is_there(
    store: Connection, counting: Pipeline, tmp_path: Path
) -> None:
    ahead = outcome_rows("h0-3", "h0-5", "h1-4", minute=30)
    import_history(store, counting, tmp_path, whole_history(tmp_path / "history", counting, outcomes=ahead))
    keeper = Keeper(store, counting)
    assert keeper.step(events=("e0-1",), now=START + 29 * MINUTE) == []
    assert keeper.step(("h1-4", "fraud", "chargeback", 29), now=START + 29 * MINUTE) == [("h1-4", 1)]
    assert keeper.step(("h0-5", "legitimate", "chargeback", 29), now=START + 29 * MINUTE) == [("h0-5", -1)]
    assert keeper.step(now=START + 30 * MINUTE) == [("h0-5", 1)]
    assert rows_of(store, "FROM to_come") == []


def test_beside_a_running_keeper_the_file_is_not_touched(counting: Pipeline, tmp_path: Path) -> None:
    folder = whole_history(tmp_path / "history", counting)
    open_keeper_store(tmp_path / STORE, counting).close()
    with exclusive(tmp_path / "keeper.lock"):
        with pytest.raises(StateInUseError):
            import_history_offline(tmp_path, counting, folder)
        with pytest.raises(StateInUseError):
            export_history_offline(tmp_path, counting, tmp_path / "out")


def test_live_events_come_after_history_not_before(
    store: Connection, counting: Pipeline, tmp_path: Path
) -> None:
    add_live(store, counting, 0, 5)
    with pytest.raises(ContractError, match="5 live events were decided already"):
        import_history(store, counting, tmp_path, whole_history(tmp_path / "history", counting))
    assert rows_of(store, "SELECT count(*) AS n FROM scored") == [{"n": 5}]


def test_there_is_one_history(store: Connection, counting: Pipeline, tmp_path: Path) -> None:
    import_history(store, counting, tmp_path, whole_history(tmp_path / "history", counting))
    other = whole_history(tmp_path / "other", counting, last_event_time=START)
    with pytest.raises(ContractError, match="a history was imported before"):
        import_history(store, counting, tmp_path, other)


@pytest.mark.parametrize(
    ("instead", "finding"),
    [
        ({"pipeline": "another"}, "is of pipeline 'another'"),
        ({"features": {"amount_eur": "0"}}, "another definition of amount_eur"),
        ({"rows": 21}, "has 20 rows, history.json says 21"),
        ({"outcomes": outcome_rows("h0-1").drop_columns(["label"])}, "lacks the columns label"),
        ({"outcomes": outcome_rows("h0-1", "h0-2").append_column("more", pa.array([1, 2]))}, "'more'"),
        ({"outcomes": outcome_rows("h0-1").set_column(5, "partition", pa.array([0], pa.int32()))},
         "1 outcomes on another partition"),
        ({"outcomes": outcome_rows("h0-1").set_column(6, "offset", pa.array(["0"]))}, "'offset' is VARCHAR"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_whole(
    store: Connection, counting: Pipeline, tmp_path: Path, instead: dict[str, Any], finding: str
) -> None:
    with pytest.raises(ContractError, match=finding):
        import_history(store, counting, tmp_path, whole_history(tmp_path / "history", counting, **instead))
    for table in ("scored", "outcomes", "deltas", "batches", "definitions", "outbox", "imports"):
        assert rows_of(store, f"FROM {table}") == []


@pytest.mark.parametrize(
    ("columns", "finding"),
    [
        ({"source_offset": 3}, "10 rows at a source offset of 0 or more"),
        ({"source_partition": 2}, "10 rows on a partition that is none"),
        ({"action": "decline"}, "10 rows that were not simply let through"),
        ({"model": "m1"}, "10 rows that were not simply let through"),
        ({"arrived_at": None}, "10 rows without id, time or place"),
    ],
)
def test_rows_that_are_no_history_are_refused(
    store: Connection, counting: Pipeline, tmp_path: Path, columns: dict[str, Any], finding: str
) -> None:
    folder = whole_history(tmp_path / "history", counting, scored=past_rows(counting, 10, **columns), rows=10)
    with pytest.raises(ContractError, match=finding):
        import_history(store, counting, tmp_path, folder)


def test_deltas_that_do_not_belong_to_the_rows_are_refused(
    store: Connection, counting: Pipeline, tmp_path: Path
) -> None:
    for name, deltas, finding in (
        ("unknown", delta_rows(counting, "nobody"), "1 deltas of events that are not there"),
        ("elsewhere", delta_rows(counting, "h0-1", partition=1), "1 deltas of events that are not there"),
        ("twice", delta_rows(counting, "h0-1", "h0-1"), "1 events that are fraud twice"),
    ):
        with pytest.raises(ContractError, match=finding):
            import_history(store, counting, tmp_path, whole_history(tmp_path / name, counting, deltas=deltas))


def test_only_a_folder_inside_the_state_folder_is_read_or_written(
    store: Connection, counting: Pipeline, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    outside = whole_history(tmp_path / "history", counting)
    (state / "link").symlink_to(outside, target_is_directory=True)
    for folder in (outside, state / ".." / "history", state / "link", state):
        with pytest.raises(ContractError, match="is not inside the state folder"):
            import_history(store, counting, state, folder)
        with pytest.raises(ContractError, match="is not inside the state folder"):
            export_history(store, counting, state, folder)


def test_a_folder_that_is_not_whole_is_refused(store: Connection, counting: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="not a folder of history"):
        import_history(store, counting, tmp_path, tmp_path / "nothing")
    folder = whole_history(tmp_path / "history", counting)
    (folder / "deltas.parquet").unlink()
    with pytest.raises(ContractError, match=r"deltas\.parquet: cannot be read"):
        import_history(store, counting, tmp_path, folder)
    (folder / "deltas.parquet").write_bytes(b"torn")
    with pytest.raises(StorageError, match=r"deltas\.parquet: cannot be taken in"):
        import_history(store, counting, tmp_path, folder)
    assert rows_of(store, "FROM scored") == []


def test_what_is_exported_is_what_was_stored(store: Connection, counting: Pipeline, tmp_path: Path) -> None:
    import_history(store, counting, tmp_path, whole_history(tmp_path / "history", counting))
    add_live(store, counting, 0, 4, action="decline", late=True)
    assert export_history(store, counting, tmp_path, tmp_path / "a" / "out")["events"] == 24
    events = pq.read_table(tmp_path / "a" / "out" / "events.parquet").sort_by("source_offset")
    wanted = {*counting.event.fields, *hashes(counting), "source_partition", "source_offset", "seq",
              "decided_seq", "action", "let_through", "late", "definitions", "policy_action", "propensity",
              "score", "margin", "fallback", "arrived_at", "decided_at"}  # fmt: skip
    wanted |= {"event_id", "event_time"}
    assert set(events.column_names) == wanted
    assert events["let_through"].to_pylist() == [True] * 20 + [False] * 4
    assert events["late"].to_pylist()[-4:] == [True] * 4
    deltas = pq.read_table(tmp_path / "a" / "out" / "deltas.parquet")
    assert deltas["event_id"].to_pylist() == ["h0-3", "h0-5"]
    definitions = pq.read_table(tmp_path / "a" / "out" / "definitions.parquet")
    of_row = events["definitions"][-1]
    named = definitions.filter(pc.equal(definitions["digest"], of_row)).to_pylist()
    assert {row["name"]: row["hash"] for row in named} == hashes(counting)
    with pytest.raises(ContractError, match="is not empty"):
        export_history(store, counting, tmp_path, tmp_path / "a" / "out")


def test_without_a_store_there_is_nothing_to_export(counting: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no store"):
        export_history_offline(tmp_path, counting, tmp_path / "out")
    open_keeper_store(tmp_path / STORE, counting).close()
    assert export_history_offline(tmp_path, counting, tmp_path / "out")["events"] == 0


def test_an_older_store_gets_what_is_new_and_its_rows_stay(pipeline: Pipeline, tmp_path: Path) -> None:
    store = open_keeper_store(tmp_path / STORE, pipeline)
    add_live(store, pipeline, 0, 3)
    for view in ("placed_rows", "routed"):
        store.execute(f"DROP VIEW {view}")
    for table, column in (("scored", "late"), ("scored", "decided_seq"), ("batches", "definitions")):
        store.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    for table in ("deltas", "outbox", "waiting", "routing", "imports", "definitions", "to_come"):
        store.execute(f"DROP TABLE {table}")
    store.execute("UPDATE about SET value = '1' WHERE name = 'schema_version'")
    store.close()
    store = open_keeper_store(tmp_path / STORE, counting_frauds(pipeline))
    assert rows_of(store, "SELECT seq, decided_seq, late, definitions FROM placed_rows ORDER BY seq") == [
        {"seq": seq, "decided_seq": seq, "late": None, "definitions": None} for seq in range(3)
    ]
    keeper = Keeper(store, counting_frauds(pipeline))
    assert keeper.step(("e0-1", "fraud", "analyst", MINUTE)) == [("e0-1", 1)]
    store.close()
