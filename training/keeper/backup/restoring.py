"""Putting a backup back into a state folder.

1. Every file of the backup is as it was written, or nothing is done.
2. What is in the state folder already is not replaced: the same file is left, another one is named.
3. Files go in whole, one by one; the store last, after it was opened and counted. So a restore that is ended
   is done again, and a keeper never starts on half of one.

The keeper that starts then reads on in Kafka where the backup ends, or says what Kafka no longer has.
"""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

from feature_store.clock import StreamClock
from feature_store.duck import open_store
from feature_store.errors import StorageError
from streams.broker.state_lock import exclusive
from training.keeper.audit import Audit
from training.keeper.backup.contents import FOLDERS
from training.keeper.backup.manifest import Backup, Kept, same, verified
from training.keeper.backup.taking import rows_of
from training.keeper.store import LOCK, STORE, newest_arrival

if TYPE_CHECKING:
    from pathlib import Path

_PART = ".part"


def restore(folder: Path, state_dir: Path, who: str) -> Backup:
    """Put the backup in ``folder`` back into ``state_dir``, which no keeper uses.

    ``who`` did it, for the audit trail. Raises StateInUseError when a keeper runs there, and StorageError.
    """
    backup = verified(folder)  # 1
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive(state_dir / LOCK):
        _refuse_others(state_dir, backup)  # 2
        try:
            for each in backup.files:
                if each.path != STORE and not (state_dir / each.path).exists():
                    _put(_copied(folder, state_dir, each), state_dir / each.path)
            _put(_fit(_copied(folder, state_dir, _store(backup)), backup, who), state_dir / STORE)  # 3
        except OSError as error:
            raise StorageError(f"{state_dir}: the backup could not be put there: {error}") from error
    return backup


def _refuse_others(state_dir: Path, backup: Backup) -> None:
    """Snapshots and runs that are there are as good as those of the backup, or newer."""
    findings = [
        f"{state_dir / each.path}: is there already, and is another one"
        for each in backup.files
        if not each.path.startswith(tuple(f"{name}/" for name in FOLDERS))
        and (state_dir / each.path).exists()
        and (each.path == STORE or not same(state_dir / each.path, each))
    ]
    if (state_dir / f"{STORE}.wal").exists():
        findings.append(f"{state_dir / STORE}.wal: belongs to another store")
    if findings:
        findings.append("nothing is overwritten: move it away, or name another --state-dir")
        raise StorageError("\n".join(findings))


def _store(backup: Backup) -> Kept:
    for each in backup.files:
        if each.path == STORE:
            return each
    raise StorageError(f"the backup holds no {STORE}")


def _copied(folder: Path, state_dir: Path, each: Kept) -> Path:
    target = state_dir / each.path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}{_PART}")
    part.unlink(missing_ok=True)
    shutil.copyfile(folder / each.path, part)
    part.chmod(0o600)
    return part


def _fit(part: Path, backup: Backup, who: str) -> Path:
    with closing(open_store(part)) as store:
        if (found := rows_of(store)) != backup.rows:
            raise StorageError(f"{part}: has {found} rows, {backup.rows} were written")
        told = {"taken_at": backup.taken_at, "rows": backup.rows}
        clock = StreamClock()  # as far as the store goes; what is later, the keeper will read
        clock.observe(newest_arrival(store))
        Audit(store, clock).note(who, "command", "command", "restore", backup.pipeline, None, told)
    return part


def _put(part: Path, target: Path) -> None:
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.replace(target)
