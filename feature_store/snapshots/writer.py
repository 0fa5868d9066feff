"""Writing snapshots off the hot path: one at a time, in a thread; failing, it never stops its owner."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.snapshots.format import Snapshot
    from feature_store.snapshots.shelf import Shelf

_log = structlog.get_logger()


class SnapshotWriter:
    """Takes a snapshot when it has none at hand. ``failed`` is told why one could not be written, in the
    writer's own thread.
    """

    def __init__(self, shelf: Shelf, failed: Callable[[str], None]) -> None:
        self._shelf = shelf
        self._failed = failed
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether one is being written: until it is, no other is taken."""
        return self._thread is not None and self._thread.is_alive()

    def write(self, snapshot: Snapshot) -> bool:
        """Begin to write; False where the last one is not yet written."""
        if self.busy:
            return False
        self._thread = threading.Thread(target=self._write, args=(snapshot,), name="snapshot", daemon=True)
        self._thread.start()
        return True

    def wait(self) -> None:
        """Return when nothing is being written."""
        if self._thread is not None:
            self._thread.join()

    def _write(self, snapshot: Snapshot) -> None:
        started = time.monotonic()
        try:
            name = self._shelf.put(snapshot)
        except StorageError as error:
            self._tell(snapshot, str(error))
        except Exception as error:  # noqa: BLE001  (whatever it is, scoring goes on)
            self._tell(snapshot, f"{type(error).__name__}: {error}")
        else:
            seconds = round(time.monotonic() - started, 3)
            _log.info("snapshot_written", snapshot=name, seconds=seconds)

    def _tell(self, snapshot: Snapshot, why: str) -> None:
        _log.error("snapshot_not_written", unit=snapshot.unit, why=why)
        self._failed(why)
