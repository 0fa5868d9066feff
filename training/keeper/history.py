"""A folder of history: what stood before the first live event, as ``sluicegate backfill`` writes it.

* ``scored.parquet``: the columns of ``log_schema``, ``source_offset`` below 0, action ``approve``;
* ``outcomes.parquet``: ``event_id, label, source, observed_at, arrived_at, partition`` (-1) and ``offset``;
* ``deltas.parquet``: the columns of ``delta_schema``, as they were applied;
* ``history.json``: a ``History``.

With ``only_new`` the folder adds features to rows that are in the store already: ``scored.parquet`` then
needs ``event_id`` and those features alone, and the other two files are not read.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from feature_store.duck import DuckError, path_of
from feature_store.errors import ContractError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.duck import Connection

SCORED = "scored.parquet"
OUTCOMES = "outcomes.parquet"
DELTAS = "deltas.parquet"
HISTORY = "history.json"


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a folder holds.

    ``features`` are the hashes of the features in it, by name; times are microseconds since 1970.
    ``only_new`` names the features that are added to rows which are there already; None: a whole history.
    """

    pipeline: str
    features: dict[str, str]
    first_event_time: int
    last_event_time: int
    rows: int
    only_new: list[str] | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The Parquet files that are read."""
        return (SCORED,) if self.only_new is not None else (SCORED, OUTCOMES, DELTAS)


def write_history(folder: Path, history: History) -> None:
    """Write ``history.json``, the last file of a folder."""
    (folder / HISTORY).write_bytes(msgspec.json.encode(history))


def read_history(folder: Path) -> History:
    """What ``history.json`` says. Raises ContractError when it is missing or malformed."""
    try:
        return msgspec.json.decode((folder / HISTORY).read_bytes(), type=History)
    except (OSError, msgspec.MsgspecError) as error:
        raise ContractError(
            f"{folder}: not a folder of history: {error}; `sluicegate backfill` writes one"
        ) from error


def fingerprint(folder: Path, history: History) -> str:
    """One digest over every byte that is read. Raises ContractError when a file is missing."""
    digest = hashlib.sha256()
    for name in (HISTORY, *history.files):
        try:
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise ContractError(f"{folder / name}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def inside(state_dir: Path, folder: Path) -> Path:
    """``folder`` with every link followed. Raises ContractError where it is not inside ``state_dir``."""
    found = (state_dir / folder).resolve()
    if not found.is_relative_to(state_dir.resolve()) or found == state_dir.resolve():
        raise ContractError(f"{folder} is not inside the state folder {state_dir}")
    return found


@contextmanager
def given(store: Connection, file: Path) -> Iterator[None]:
    """The Parquet file as the relation ``given``. Raises StorageError where it does not go in."""
    try:
        store.read_parquet(path_of(file)).create_view("given", replace=True)
        yield
        store.execute("DROP VIEW given")
    except DuckError as error:
        raise StorageError(f"{file}: cannot be taken in: {error}") from error


def described(store: Connection) -> dict[str, str]:
    """Column -> type of the relation ``given``."""
    return dict(store.execute("SELECT column_name, column_type FROM (DESCRIBE given)").fetchall())
