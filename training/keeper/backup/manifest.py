"""``backup.json``: what a backup holds, how far Kafka had been read, and a digest of every file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import StorageError
from feature_store.whole_file import write_atomically
from training.keeper.backup.contents import belongs

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "backup.json"
FORMAT = 1
_MOST_BYTES = 64 * 1024 * 1024


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its path in the state folder, its size in bytes, and its SHA-256."""

    path: str
    size: int
    sha256: str


class Offset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to where a partition is in the store."""

    topic: str
    partition: int
    next: int


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A backup: ``taken_at`` is wall time (RFC 3339), ``rows`` counts each table of the store.

    ``kafka_cluster`` is None where the store had met none yet.
    """

    format: int
    pipeline: str
    kafka_cluster: str | None
    taken_at: str
    offsets: list[Offset]
    rows: dict[str, int]
    files: list[Kept]

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(each.size for each in self.files)


class _Any(msgspec.Struct, frozen=True):
    format: int


def kept(folder: Path, name: str) -> Kept:
    """A file of ``folder`` as a backup names it."""
    file = folder / name
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Kept(name, file.stat().st_size, digest)


def write_manifest(folder: Path, backup: Backup) -> None:
    """Write ``backup.json``, the last file of a backup."""
    write_atomically(folder / MANIFEST, msgspec.json.encode(backup), private=True)


def verified(folder: Path) -> Backup:
    """The backup in ``folder``, every file of which is as it was written.

    Raises StorageError where there is none, where it is of a newer format, and for every file that is
    missing, altered, or has no place in a state folder.
    """
    backup = _read(folder)
    findings = [finding for each in backup.files if (finding := _finding(folder, each))]
    if findings:
        raise StorageError(f"{folder} is no sound backup:\n" + "\n".join(findings))
    return backup


def same(file: Path, wanted: Kept) -> bool:
    """Whether ``file`` is there with the content that ``wanted`` names."""
    return (
        file.is_file()
        and file.stat().st_size == wanted.size
        and kept(file.parent, file.name).sha256 == wanted.sha256
    )


def _read(folder: Path) -> Backup:
    try:
        with (folder / MANIFEST).open("rb") as file:
            content = file.read(_MOST_BYTES)
        found = msgspec.json.decode(content, type=_Any).format
        if found != FORMAT:
            newer = "a newer sluicegate wrote it: restore it with that one" if found > FORMAT else "unknown"
            raise StorageError(
                f"{folder / MANIFEST}: a backup of format {found}, this reads format {FORMAT}; {newer}"
            )
        return msgspec.json.decode(content, type=Backup)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StorageError(
            f"{folder}: not a backup: {error}; `sluicegate backup` writes one, {MANIFEST} last"
        ) from error


def _finding(folder: Path, each: Kept) -> str | None:
    if not belongs(each.path):
        return f"{each.path!r}: no such file belongs in a state folder"
    file = folder / each.path
    if any(
        part.is_symlink() for part in (file, *file.parents) if part.is_relative_to(folder) and part != folder
    ):
        return f"{each.path}: is a link, not a file"
    try:
        if not file.is_file():
            return f"{each.path}: missing"
        found = kept(folder, each.path)
    except OSError as error:
        return f"{each.path}: cannot be read: {error.strerror}"
    if found != each:
        return f"{each.path}: {found.size} bytes with another digest than the {each.size} that were written"
    return None
