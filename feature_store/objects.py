"""The one door to obstore: objects under a prefix, in a folder of this machine or in a bucket."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from feature_store.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SNAPSHOTS = "serving.snapshots.store"
_S3 = "s3://"
_PATIENCE = timedelta(seconds=60)
_STAGED = "*.snapshot#*"  # obstore writes there, then renames; it lists no such name
_ABANDONED_S = 3_600.0
_CURES = {
    "folder": "is there room, and may this user write there?",
    "bucket": "are the bucket, AWS_REGION or AWS_ENDPOINT, and the credentials in the environment right?",
    "memory": "memory keeps nothing that was not put",
}


class ObjectFolder:
    """Whole objects by name: an object is there entirely or not at all. Every failure is a StorageError."""

    def __init__(self, store: LocalStore | MemoryStore | S3Store, text: str, kind: str, setting: str) -> None:
        """``setting`` is the key of the pipeline file that names it."""
        self._store = store
        self._text = text
        self._kind = kind
        self._setting = setting
        self._root = Path(text) if kind == "folder" else None

    def __str__(self) -> str:
        return self._text

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write an object; an older one of this name is replaced in one go."""
        with self._told(f"write {name}"):
            self._store.put(name, data)

    def get(self, name: str) -> bytes:
        """The whole object."""
        with self._told(f"read {name}"):
            return bytes(self._store.get(name).bytes())

    def get_at_most(self, name: str, most: int) -> bytes:
        """The whole object, unless it has more than ``most`` bytes."""
        with self._told(f"read {name}"):
            found = self._store.get(name)
            size = found.meta["size"]
            if size > most:
                raise ValueError(f"it has {size} bytes, expected {most}")
            return bytes(found.bytes())

    def list(self, prefix: str) -> list[str]:
        """The names of all objects under ``prefix/``, sorted."""
        with self._told(f"list {prefix}"):
            return sorted(found["path"] for found in self._store.list(prefix).collect())

    def older(self, prefix: str, seconds: float) -> Sequence[str]:
        """The names of the objects under ``prefix/`` that were written longer ago, by the store's clock."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        with self._told(f"list {prefix}"):
            found = self._store.list(prefix).collect()
            return sorted(each["path"] for each in found if each["last_modified"] < before)

    def delete(self, name: str) -> None:
        """Remove an object; one that is gone already is no failure."""
        with self._told(f"delete {name}"):
            try:
                self._store.delete(name)
            except FileNotFoundError:
                return

    def sweep(self, prefix: str) -> None:
        """Remove what writers that were killed left in a folder; a bucket has lifecycle rules for that."""
        if self._root is None:
            return
        before = time.time() - _ABANDONED_S
        for path in (self._root / prefix).glob(_STAGED):
            with suppress(OSError):  # another sweeper was faster
                if path.stat().st_mtime < before:
                    path.unlink()

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            why = str(error).split("\n", 1)[0]  # what follows is the library's own debugging output
            raise StorageError(
                f"{self._setting}: cannot {what} in {self._text}: {why}; {_CURES[self._kind]}"
            ) from None


def open_folder(where: str, default: Path, setting: str = SNAPSHOTS) -> ObjectFolder:
    """What a key of the pipeline file names: ``s3://bucket/prefix`` or a folder; ``default`` where empty.

    A folder is made where there is none; the credentials of a bucket come from the environment (AWS_*).
    Raises ConfigError naming the key.
    """
    if where.startswith(_S3):
        return _bucket(where, setting)
    if "://" in where:
        raise ConfigError(f"{setting}: {where!r}: expected a folder or s3://bucket/prefix")
    folder = (Path(where).expanduser() if where else default).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return ObjectFolder(LocalStore(folder), str(folder), "folder", setting)
    except (BaseError, OSError, ValueError) as error:
        raise ConfigError(f"{setting}: {str(folder)!r} is no usable folder: {error}") from None


def in_memory() -> ObjectFolder:
    """Objects that end with the process."""
    return ObjectFolder(MemoryStore(), "memory", "memory", SNAPSHOTS)


def _bucket(url: str, setting: str) -> ObjectFolder:
    bucket, _, prefix = url.removeprefix(_S3).partition("/")
    if not bucket or "?" in url or "#" in url or "@" in bucket:
        raise ConfigError(
            f"{setting}: {url!r}: expected s3://bucket or s3://bucket/prefix; credentials, "
            "region and endpoint come from the environment (AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT, ...)"
        )
    try:
        store = S3Store.from_url(
            f"{_S3}{bucket}/{prefix.strip('/')}",
            retry_config={"max_retries": 5, "retry_timeout": _PATIENCE},
        )
    except (BaseError, ValueError) as error:
        why = str(error).split("\n", 1)[0]
        raise ConfigError(f"{setting}: {url!r}: {why}") from None
    return ObjectFolder(store, url, "bucket", setting)
