"""A backup of a store that is written meanwhile, put back elsewhere."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from feature_store.errors import ContractError, StorageError
from streams.broker.errors import StateInUseError
from streams.broker.state_lock import exclusive
from tests.support.kafka import remove_before
from tests.unit.keeper.sink.sinking import ask, catch_up, outcome
from tests.unit.keeper.written import MINUTE, START, event_id, write_batches, write_outcomes
from training.keeper.audit import Audit
from training.keeper.backup import restore, take_backup, take_backup_offline, verified
from training.keeper.backup.manifest import MANIFEST
from training.keeper.store import LOCK, STORE, open_keeper_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from tests.unit.keeper.sink.sinking import NewParts, NewSink
    from training.keeper.backup import Backup
    from training.keeper.parts import Parts
    from training.keeper.sink import Sink

PLACES = 'SELECT count(*), count(DISTINCT ("partition", "offset")) FROM decisions'
SMALL = {
    "users.json": b'{"users":{}}',
    "secrets.json": b"{}",
    "monitor/webhook.json": b'{"topic":"alerts","next":4}',
    "snapshots/p/0/000000000001-0000000a.snapshot": b"state",
    "runs/20260101T030000/result.json": b"{}",
    "runs/20260101T030000/champion/artifact": b"trees",
}
LEFT = {
    "runs/20260101T030000/snapshot/scored.parquet": b"rows",
    "kafka/data/log": b"records",
    "keeper.json": b"{}",
    "snapshots/p/0/.part": b"half",
}


def fill(state: Path) -> None:
    """What else a state folder holds."""
    for name, content in (SMALL | LEFT).items():
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_bytes(content)
    with closing(sqlite3.connect(state / "schedule.sqlite")) as schedule, schedule:
        schedule.execute("CREATE TABLE jobs (id TEXT)")
        schedule.execute("INSERT INTO jobs VALUES ('train')")


def backed_up(parts: Parts, name: str = "backup-1") -> tuple[Path, Backup]:
    folder = parts.settings.state_dir / name
    with parts.store.cursor() as cursor:
        return folder, take_backup(cursor, parts.settings.state_dir, folder)


@pytest.fixture
def sunk(new_sink: NewSink, pipeline: Pipeline, bootstrap: str) -> tuple[Sink, Parts]:
    """A keeper that has sunk 80 events and a word on one, all there is."""
    write_batches(pipeline, bootstrap, 0, batches=2, size=20)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3))], START + 500 * MINUTE)
    sink, parts = new_sink()
    catch_up(sink, parts)
    Audit(parts.store, parts.clock).note("ann", "operator", "command", "promote", "v1")
    fill(parts.settings.state_dir)
    return sink, parts


def test_what_is_put_back_reads_on_where_the_backup_ends(
    sunk: tuple[Sink, Parts],
    pipeline: Pipeline,
    bootstrap: str,
    new_elsewhere: Callable[[Path], tuple[Sink, Parts]],
    tmp_path: Path,
) -> None:
    sink, parts = sunk
    folder, backup = backed_up(parts)
    write_batches(pipeline, bootstrap, 40, batches=2, size=20)
    catch_up(sink, parts)
    assert backup == verified(folder)
    assert (backup.pipeline, backup.rows["scored"], backup.rows["outcomes"]) == (pipeline.name, 80, 1)
    restored = tmp_path / "restored"
    restore(folder, restored, "bob")
    again, there = new_elsewhere(restored)
    assert ask(there, PLACES) == [(80, 80)]
    catch_up(again, there)
    assert ask(there, PLACES) == [(160, 160)]
    assert ask(there, "SELECT * FROM scored ORDER BY ALL") == ask(parts, "SELECT * FROM scored ORDER BY ALL")
    assert ask(there, "FROM outcomes") == ask(parts, "FROM outcomes")
    assert ask(there, "FROM offsets ORDER BY ALL") == ask(parts, "FROM offsets ORDER BY ALL")
    assert ask(there, "SELECT who, what FROM audit ORDER BY number") == [
        ("ann", "promote"),
        ("bob", "restore"),
    ]
    assert ask(there, "SELECT count(*) FROM placed_rows") == [(160,)]


def test_it_holds_what_belongs_to_the_keeper_and_no_more(sunk: tuple[Sink, Parts], tmp_path: Path) -> None:
    folder, backup = backed_up(sunk[1])
    assert {each.path for each in backup.files} == {STORE, "schedule.sqlite", *SMALL}
    for each in (folder, *(folder / kept.path for kept in backup.files)):
        assert not each.stat().st_mode & 0o077
    restore(folder, tmp_path / "restored", "bob")
    for name, content in SMALL.items():
        assert (tmp_path / "restored" / name).read_bytes() == content
    with closing(sqlite3.connect(tmp_path / "restored" / "schedule.sqlite")) as schedule:
        assert schedule.execute("SELECT id FROM jobs").fetchall() == [("train",)]


def test_without_a_keeper_it_is_the_same(
    sunk: tuple[Sink, Parts], new_parts: NewParts, tmp_path: Path
) -> None:
    state = sunk[1].settings.state_dir
    _, online = backed_up(sunk[1])
    sunk[1].store.close()
    offline = take_backup_offline(state, state / "backup-2")
    assert (offline.rows, offline.offsets) == (online.rows, online.offsets)
    restore(state / "backup-2", tmp_path / "restored", "bob")
    with exclusive(state / LOCK), pytest.raises(StateInUseError):
        take_backup_offline(state, state / "backup-3")
    with pytest.raises(ContractError, match="not empty"):
        take_backup_offline(state, state / "backup-2")
    with pytest.raises(ContractError, match="is not inside the state folder"):
        take_backup_offline(state, state.parent / "elsewhere")
    new_parts()


@pytest.mark.kafka
def test_where_kafka_has_lost_what_came_after_it_the_keeper_says_so(
    sunk: tuple[Sink, Parts],
    pipeline: Pipeline,
    bootstrap: str,
    new_elsewhere: Callable[[Path], tuple[Sink, Parts]],
    tmp_path: Path,
) -> None:
    folder, _ = backed_up(sunk[1])
    write_batches(pipeline, bootstrap, 40, batches=2, size=20)
    remove_before(bootstrap, pipeline.topics.decisions, 0, 50)
    restore(folder, tmp_path / "restored", "bob")
    with pytest.raises(StorageError, match=r"decisions\[0\]: offsets \d+ to 49 left the topic before"):
        new_elsewhere(tmp_path / "restored")


def test_a_restore_that_was_ended_is_done_again_and_nothing_is_overwritten(
    sound: Path, tmp_path: Path
) -> None:
    folder = sound
    restored = tmp_path / "restored"
    restore(folder, restored, "bob")
    with pytest.raises(StorageError, match=r"keeper\.duckdb: is there already(?s:.*)nothing is overwritten"):
        restore(folder, restored, "bob")
    (restored / STORE).unlink()
    (restored / f".{STORE}.part").write_bytes(b"half of it")
    restore(folder, restored, "bob")
    (restored / STORE).unlink()
    (restored / "users.json").write_bytes(b'{"users":{},"unnoted":[]}')
    with pytest.raises(StorageError, match=r"users\.json: is there already"):
        restore(folder, restored, "bob")
    with exclusive(restored / LOCK), pytest.raises(StateInUseError):
        restore(folder, restored, "bob")
    assert not (restored / STORE).exists()


@pytest.fixture
def sound(pipeline: Pipeline, tmp_path: Path) -> Path:
    """A sound backup of a store in which there is little."""
    state = tmp_path / "state"
    fill(state)
    open_keeper_store(state / STORE, pipeline).close()
    take_backup_offline(state, state / "backup")
    shutil.move(state / "backup", tmp_path / "kept")
    return tmp_path / "kept"


def claim(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    told = json.loads((folder / MANIFEST).read_bytes())
    change(told)
    (folder / MANIFEST).write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / STORE).write_bytes(b"x"), "keeper.duckdb: 1 bytes with another digest"),
        (lambda folder: (folder / "users.json").unlink(), "users.json: missing"),
        (lambda folder: (folder / MANIFEST).unlink(), "not a backup"),
        (lambda folder: (folder / MANIFEST).write_bytes(b"[" * 100_000), "not a backup"),
        (lambda folder: claim(folder, lambda told: told.update(format=2)), "a newer sluicegate wrote it"),
        (
            lambda folder: claim(folder, lambda told: told["files"][0].update(path="../up.json")),
            "no such file belongs in a state folder",
        ),
        (
            lambda folder: claim(folder, lambda told: told["files"][0].update(path="runs/../../x")),
            "no such file belongs in a state folder",
        ),
    ],
)
def test_what_is_not_as_it_was_written_is_not_put_back(
    sound: Path, tmp_path: Path, harm: Callable[[Path], object], said: str
) -> None:
    harm(sound)
    with pytest.raises(StorageError, match=said):
        restore(sound, tmp_path / "restored", "bob")
    assert not (tmp_path / "restored").exists()


def test_a_link_in_a_backup_is_not_followed(sound: Path, tmp_path: Path) -> None:
    shutil.move(sound / "users.json", tmp_path / "users.json")
    (sound / "users.json").symlink_to(tmp_path / "users.json")
    with pytest.raises(StorageError, match=r"users\.json: is a link"):
        restore(sound, tmp_path / "restored", "bob")


def test_rows_that_do_not_add_up_are_not_put_back(sound: Path, tmp_path: Path) -> None:
    claim(sound, lambda told: told["rows"].update(scored=79))
    with pytest.raises(StorageError, match="rows"):
        restore(sound, tmp_path / "restored", "bob")
    assert not (tmp_path / "restored" / STORE).exists()


def test_a_backup_needs_room(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_keeper_store(tmp_path / STORE, pipeline).close()
    monkeypatch.setattr("training.keeper.backup.taking._ROOM", 1e12)
    with pytest.raises(StorageError, match="are free, and the keeper must not run out of disk"):
        take_backup_offline(tmp_path, tmp_path / "backup")
