"""A store of an older version becomes one of this version, with all that is in it; newer ones are left."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from feature_store.duck import relations
from feature_store.errors import StorageError
from feature_store.log import decode_log
from tests.unit.keeper.written import START, log_message
from training.keeper.audit import Audit
from training.keeper.migrations import VERSION
from training.keeper.queries import sql
from training.keeper.release.registry import Registry
from training.keeper.runs import Runs
from training.keeper.store import STORE, looked_at, open_keeper_store

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

VERSION_1 = Path(__file__).with_name("version_1.sql").read_text(encoding="utf-8")
TABLES = "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE NOT internal"


def asked(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as store:
        return list(store.execute(query).fetchall())


@pytest.fixture
def old(tmp_path: Path, pipeline: Pipeline) -> Path:
    """A store of version 1 with a row in each of its tables."""
    path = tmp_path / STORE
    rows, _ = decode_log(log_message(pipeline, 0, 0, 3))
    with closing(duckdb.connect(str(path))) as store:
        store.execute(VERSION_1)
        with relations(store, given=pa.table(rows.drop_columns(["decided_seq", "late"]))):
            store.execute("CREATE TABLE scored AS FROM given")
        store.execute(
            "INSERT INTO about VALUES ('schema_version', '1'), ('pipeline', $name)", {"name": pipeline.name}
        )
        store.execute("INSERT INTO offsets VALUES ('features', 0, 2)")
        store.execute("INSERT INTO batches VALUES (0, 0, 'events', 0, 3, 3, 0, 0, 0, -1)")
        store.execute("INSERT INTO decisions VALUES (0, 0, 'e0-0', 'events', 0, 0, 'approve', 0, '{}')")
        store.execute(
            "INSERT INTO outcomes VALUES (0, 0, 'e0-0', 'fraud', 'analyst', $at, $at)", {"at": "2026-01-02"}
        )
        store.execute(
            "INSERT INTO runs VALUES ('r1', 'schedule', $at, false, 'passed', 1, NULL, NULL, NULL)",
            {"at": "2026-01-02"},
        )
        store.execute("INSERT INTO models VALUES ('m1', 1, 'r1', '{}')")
        store.execute("INSERT INTO alerts VALUES ('drift', 'text', $at, '{}')", {"at": "2026-01-02"})
    return path


def test_an_old_store_has_all_its_rows_and_the_tables_of_a_new_one(
    old: Path, pipeline: Pipeline, tmp_path: Path
) -> None:
    with closing(open_keeper_store(old, pipeline)) as store:
        runs = Runs(store).all()
        assert [(run.run_id, run.state, run.dry, run.trust_data) for run in runs] == [
            ("r1", "passed", False, False)
        ]
        assert [each["version"] for each in Registry(store).all()] == ["m1"]
        audit = Audit(store, None)  # type: ignore[arg-type]  # only its table is wanted
        assert audit.kinds() == []
    with closing(open_keeper_store(tmp_path / "new.duckdb", pipeline)) as store:
        Audit(store, None)  # type: ignore[arg-type]  # only its table is wanted
    assert sorted(asked(old, TABLES)) == sorted(asked(tmp_path / "new.duckdb", TABLES))
    assert asked(old, "SELECT value FROM about WHERE name = 'schema_version'") == [(str(VERSION),)]
    assert asked(
        old, "SELECT event_id, decided_seq, epoch_us(arrived_at) FROM scored WHERE source_offset = 2"
    ) == [("e0-2", 2, START + 120_000_000)]
    counts = ("offsets", "batches", "decisions", "outcomes", "runs", "models", "alerts")
    assert [asked(old, f"SELECT count(*) FROM {table}") for table in counts] == [[(1,)]] * len(counts)  # noqa: S608


def test_it_is_migrated_once(old: Path, pipeline: Pipeline) -> None:
    open_keeper_store(old, pipeline).close()
    before = asked(old, TABLES)
    open_keeper_store(old, pipeline).close()
    assert asked(old, TABLES) == before


def test_who_only_looks_leaves_the_version_as_it_is(old: Path, pipeline: Pipeline) -> None:
    with looked_at(old, pipeline) as store:
        assert store.execute(sql("about"), {"name": "schema_version"}).fetchall() == [(str(VERSION),)]
    assert asked(old, "SELECT value FROM about WHERE name = 'schema_version'") == [("1",)]


@pytest.mark.parametrize(
    ("version", "said"), [(str(VERSION + 1), "a newer one wrote it"), ("x", "it is damaged")]
)
def test_what_is_not_known_here_is_left_alone(
    tmp_path: Path, pipeline: Pipeline, version: str, said: str
) -> None:
    path = tmp_path / STORE
    open_keeper_store(path, pipeline).close()
    with duckdb.connect(str(path)) as store:
        store.execute("UPDATE about SET value = $version WHERE name = 'schema_version'", {"version": version})
    before = path.read_bytes()
    with pytest.raises(StorageError, match=said):
        open_keeper_store(path, pipeline)
    assert path.read_bytes() == before
