"""The snapshots of one pipeline: newest first, damaged ones passed over, the oldest thrown away."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import CorruptSnapshotError, StorageError
from feature_store.snapshots.format import Snapshot, decode_snapshot, encode_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.objects import ObjectFolder

_log = structlog.get_logger()
_NAME = re.compile(r"/(\d{12})-[0-9a-f]{8}\.snapshot$")


class Shelf:
    """``<pipeline>/<unit>/<number>-<random>.snapshot``: the number grows with age, the rest keeps two
    writers apart, one of which may be late in handing over.
    """

    def __init__(self, folder: ObjectFolder, pipeline: str, keep: int) -> None:
        self._folder = folder
        self._pipeline = pipeline
        self._keep = keep

    def __str__(self) -> str:
        return str(self._folder)

    def put(self, snapshot: Snapshot) -> str:
        """Write a snapshot and throw away what is older than the last ``keep``; returns its name.

        Raises StorageError.
        """
        names = self._names(snapshot.unit)
        number = int(names[0].rsplit("/", 1)[1][:12]) + 1 if names else 1
        name = f"{self._pipeline}/{snapshot.unit}/{number:012d}-{secrets.token_hex(4)}.snapshot"
        self._folder.put(name, encode_snapshot(snapshot))
        self._remove([name, *names][self._keep :], snapshot.unit)
        return name

    def newest_first(self, unit: str) -> Iterator[tuple[str, Snapshot]]:
        """The sound snapshots of a unit with their names; what is damaged or cannot be read is passed over.

        Raises StorageError where the store cannot even be listed.
        """
        for name in self._names(unit):
            try:
                yield name, self._read(name, unit)
            except StorageError as error:
                reject(name, str(error))

    def _remove(self, names: list[str], unit: str) -> None:
        try:
            for name in names:
                self._folder.delete(name)
            self._folder.sweep(f"{self._pipeline}/{unit}")
        except StorageError as error:
            _log.warning("snapshots_not_removed", snapshots=names, why=str(error))

    def _read(self, name: str, unit: str) -> Snapshot:
        snapshot = decode_snapshot(self._folder.get(name))
        if (snapshot.pipeline, snapshot.unit) != (self._pipeline, unit):
            raise CorruptSnapshotError(
                f"it is of {snapshot.pipeline}/{snapshot.unit}, not of {self._pipeline}/{unit}"
            )
        return snapshot

    def _names(self, unit: str) -> list[str]:
        found = self._folder.list(f"{self._pipeline}/{unit}")
        return [name for name in reversed(found) if _NAME.search(name)]


def reject(name: str, why: str) -> None:
    """Say that a snapshot is not used."""
    _log.warning("snapshot_rejected", snapshot=name, why=why)
