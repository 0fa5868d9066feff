"""What of a state folder a backup holds.

* ``keeper.duckdb``: all of it, as of one moment;
* SQLite files, as of one moment each: ``schedule.sqlite``, ``tuning.sqlite``;
* small files as they are: ``users.json``, ``secrets.json``, ``monitor/webhook.json``;
* ``snapshots/`` of the scorers and ``runs/`` of the trainer, where they are in this folder. Of a run, not the
  rows that it was fitted on: they are in the store.

Not in it: Kafka's own data, logs, locks, addresses of running processes. Kafka is the truth; a backup says
how far it had been read.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from training.contract import SNAPSHOT
from training.keeper.store import STORE

if TYPE_CHECKING:
    from collections.abc import Iterator

SQLITE = ("schedule.sqlite", "tuning.sqlite")
SMALL = ("users.json", "secrets.json", "monitor/webhook.json")
FOLDERS = ("snapshots", "runs")


def small_files(state_dir: Path) -> Iterator[str]:
    """The files that are copied as they are, by their path in the state folder."""
    yield from (name for name in SMALL if (state_dir / name).is_file())
    for folder in FOLDERS:
        for place, _, names in os.walk(state_dir / folder):  # passes over what vanishes meanwhile
            for file in sorted(Path(place, name) for name in names):
                name = file.relative_to(state_dir).as_posix()
                if file.is_file() and not file.is_symlink() and _kept(name):
                    yield name


def belongs(name: str) -> bool:
    """Whether a backup may hold a file of this path: nothing else is ever put into a state folder."""
    if name in {STORE, *SQLITE, *SMALL}:
        return True
    path = PurePosixPath(name)
    plain = ".." not in path.parts and str(path) == name and "\0" not in name and "\\" not in name
    return plain and len(path.parts) > 1 and path.parts[0] in FOLDERS and _kept(name)


def _kept(name: str) -> bool:
    path = PurePosixPath(name)
    of_a_run = path.parts[0] == "runs" and len(path.parts) > 2  # noqa: PLR2004  (runs/<run>/...)
    staged = path.name.startswith(".") or "#" in path.name
    return not staged and not (of_a_run and path.parts[2] == SNAPSHOT)
