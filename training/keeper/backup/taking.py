"""Taking a backup, while the keeper runs or not.

1. The schedule first: copied before the store, it repeats a run that came in between, it loses none.
2. The store, as of one moment: a transaction reads it, the sink goes on writing meanwhile.
3. The copy is opened and counted against what was read.
4. The small files, each of which is whole or absent.
5. ``backup.json``, with a digest of every file: a backup without it is none.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from feature_store.duck import DuckError, literal, memory, open_store, quoted
from feature_store.errors import ContractError, StorageError
from feature_store.units import to_text
from streams.broker.state_lock import exclusive
from training.keeper.backup.contents import FOLDERS, SQLITE, small_files
from training.keeper.backup.manifest import FORMAT, Backup, Offset, kept, write_manifest
from training.keeper.history import inside
from training.keeper.queries import sql
from training.keeper.store import LOCK, STORE, existing_store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from feature_store.duck import Connection

_COPY = "backup_copy"
_ROOM = 1.2
"""Free space that is asked for, by what is copied: a backup must not fill the keeper's disk."""


def take_backup(store: Connection, state_dir: Path, folder: Path) -> Backup:
    """Write a backup into ``folder``, which must be inside ``state_dir``, and new or empty.

    ``store`` is a cursor of its own. Raises ContractError for another folder, and StorageError.
    """
    folder = inside(state_dir, folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # personal data and hashes of passwords
        if any(folder.iterdir()):
            raise ContractError(f"{folder} is not empty; name a new folder")
        check_room([state_dir / STORE, *(state_dir / name for name in small_files(state_dir))], folder)
        names = [name for name in SQLITE if _copy_sqlite(state_dir / name, folder / name)]  # 1
        read = copied(store, folder / STORE)  # 2
        count_again(folder / STORE, read.rows)  # 3
        names += [STORE, *(name for name in small_files(state_dir) if _copy(state_dir, folder, name))]  # 4
        for name in names:
            _to_disk(folder / name)
    except (OSError, sqlite3.Error, DuckError) as error:
        raise StorageError(f"{folder}: the backup could not be written: {error}") from error
    backup = Backup(
        format=FORMAT,
        pipeline=read.about["pipeline"],
        kafka_cluster=read.about.get("kafka_cluster"),
        taken_at=to_text(time.time_ns() // 1_000),
        offsets=read.offsets,
        rows=read.rows,
        files=[kept(folder, name) for name in names],
    )
    write_manifest(folder, backup)  # 5
    return backup


def take_backup_offline(state_dir: Path, folder: Path) -> Backup:
    """The same while no keeper runs; the store stays as it is.

    Raises StateInUseError when one does, StorageError without a store.
    """
    path = existing_store(state_dir)
    with exclusive(state_dir / LOCK), closing(memory()) as reading:
        try:
            reading.execute(f"ATTACH {literal(str(path))} AS keeper (READ_ONLY)")
        except DuckError as error:
            raise StorageError(f"{path}: cannot be opened: {error}") from error
        reading.execute("USE keeper")
        return take_backup(reading, state_dir, folder)


class Read:
    """What one transaction saw of the store."""

    def __init__(self, store: Connection) -> None:
        self.name = _name_of(store)
        self.about = dict(store.execute(sql("backed_up_about")).fetchall())
        self.offsets = [Offset(*row) for row in store.execute(sql("backed_up_offsets")).fetchall()]
        self.rows = rows_of(store)


def rows_of(store: Connection) -> dict[str, int]:
    """How many rows each table has."""
    database = {"database": _name_of(store)}
    tables = [row[0] for row in store.execute(sql("backed_up_tables"), database).fetchall()]
    return {
        table: int(store.execute(f"SELECT count(*) FROM {quoted(table)}").fetchall()[0][0])  # noqa: S608
        for table in tables
    }


def copied(store: Connection, file: Path) -> Read:
    """Copy the store into the new database ``file``, as of one moment; says what that moment held."""
    store.execute(f"ATTACH {literal(str(file))} AS {_COPY}")
    try:
        store.begin()
        try:
            read = Read(store)
            store.execute(f"COPY FROM DATABASE {quoted(read.name)} TO {_COPY}")
            store.commit()
        except BaseException:
            store.rollback()
            raise
    finally:
        store.execute(f"DETACH {_COPY}")
    return read


def _name_of(store: Connection) -> str:
    return str(store.execute("SELECT current_database()").fetchall()[0][0])


def count_again(file: Path, expected: dict[str, int]) -> None:
    """Raise StorageError where the tables of ``file`` have other counts of rows."""
    file.chmod(0o600)
    with closing(open_store(file, read_only=True)) as copy:
        found = rows_of(copy)
    if found != expected:
        raise StorageError(f"{file}: the copy has {found} rows, the store had {expected}")


def _copy_sqlite(source: Path, target: Path) -> bool:
    if not source.is_file():
        return False
    whole = f"{source.resolve().as_uri()}?mode=rw"  # it may have to roll back what a crash left
    with closing(sqlite3.connect(whole, uri=True)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)
    target.chmod(0o600)
    return True


def _copy(state_dir: Path, folder: Path, name: str) -> bool:
    """Whether it was still there."""
    target = folder / name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        shutil.copyfile(state_dir / name, target)
    except FileNotFoundError:  # an old snapshot or run, thrown away just now
        return False
    target.chmod(0o600)
    return True


def _to_disk(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_room(files: Iterable[Path], folder: Path) -> None:
    """Raise StorageError where ``folder`` has no room for a copy of ``files``."""
    needed = int(sum(_size(file) for file in files) * _ROOM)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{folder}: a copy needs {needed:,} bytes here, {free:,} are free, and the keeper must not run "
            f"out of disk: make room, or keep {' and '.join(FOLDERS)} elsewhere"
        )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # not there, or thrown away just now
        return 0
