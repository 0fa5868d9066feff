"""Backups where people want them: the keeper writes inside its state folder, the command moves it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from feature_store.errors import ConfigError, StorageError
from training.history.backfill import scratch
from training.keeper.backup import take_backup_offline, verified
from training.keeper.client import KeeperClient, KeeperUnreachableError

if TYPE_CHECKING:
    from pathlib import Path

    from training.keeper.backup import Backup


def back_up(state_dir: Path, target: Path) -> Backup:
    """A backup of ``state_dir`` in ``target``, a new or empty folder; by the keeper where one runs.

    Raises ConfigError for another ``target``, KeeperRefusedError and StorageError.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is there already; name a new folder for each backup")
    if not state_dir.is_dir():
        raise ConfigError(f"{state_dir}: there is no such state folder; name it with --state-dir")
    with scratch(state_dir, "backup") as folder:
        _taken(state_dir, folder)
        _move(folder, target)
    return verified(target)


def _taken(state_dir: Path, folder: Path) -> Backup:
    try:
        with KeeperClient(state_dir) as keeper:
            return keeper.back_up(folder)
    except KeeperUnreachableError:  # else the lock says that one runs after all
        shutil.rmtree(folder, ignore_errors=True)
        return take_backup_offline(state_dir, folder)


def _move(folder: Path, target: Path) -> None:
    """``target`` is there with all of it, or not at all."""
    aside = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        shutil.move(folder, aside)
        for file in aside.rglob("*"):
            if file.is_file():
                _to_disk(file)
        aside.rename(target)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise StorageError(f"{target}: the backup could not be put there: {error}") from error


def _to_disk(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
