"""Writing snapshots off the hot path: one at a time, in a thread; failing, it never stops its owner."""

from __future__ import annotations

import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.snapshots.format import Snapshot
    from feature_store.snapshots.shelf import Shelf

_log = structlog.get_logger()
_CLOSE_S = 5.0


class SnapshotWriter:
    """Writes what it is given in one go, and takes no more until that is written.

    ``failed`` is told why a snapshot could not be written, in the writer's own thread.
    """

    def __init__(self, shelf: Shelf, failed: Callable[[str], None]) -> None:
        self._shelf = shelf
        self._failed = failed
        self.not_written: deque[str] = deque()
        """Units whose snapshot could not be written, to be taken out by the owner."""
        self._given: SimpleQueue[tuple[Snapshot, ...] | None] = SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        self._thread: threading.Thread | None = None
        """One for good: what a thread's allocators keep is lost with it, some 50 kB for each that ends."""

    @property
    def busy(self) -> bool:
        """Whether anything is being written."""
        return not self._idle.is_set()

    def write(self, *snapshots: Snapshot) -> bool:
        """Begin to write; False where the last ones are not yet written."""
        if self.busy:
            return False
        self._idle.clear()
        self._given.put(snapshots)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="snapshots", daemon=True)
            self._thread.start()
        return True

    def wait(self, seconds: float | None = None) -> None:
        """Return when nothing is being written, after ``seconds`` at the latest."""
        self._idle.wait(seconds)

    def close(self) -> None:
        """Let the thread end after what it is writing: one that lives on keeps DuckDB from ending cleanly."""
        if self._thread is not None:
            self._given.put(None)
            self._thread.join(_CLOSE_S)
            self._thread = None

    def _work(self) -> None:
        going = True
        while going:
            try:
                going = self._wrote(self._given.get())  # nothing here holds them when that is done
            finally:
                self._idle.set()

    def _wrote(self, snapshots: tuple[Snapshot, ...] | None) -> bool:
        for snapshot in snapshots or ():
            self._write(snapshot)
        return snapshots is not None

    def _write(self, snapshot: Snapshot) -> None:
        started = time.monotonic()
        try:
            name = self._shelf.put(snapshot)
        except StorageError as error:
            self._tell(snapshot, str(error))
        except Exception as error:  # noqa: BLE001  (whatever it is, scoring goes on)
            self._tell(snapshot, f"{type(error).__name__}: {error}")
        else:
            _log.info("snapshot_written", snapshot=name, seconds=round(time.monotonic() - started, 3))

    def _tell(self, snapshot: Snapshot, why: str) -> None:
        self.not_written.append(snapshot.unit)
        _log.error("snapshot_not_written", unit=snapshot.unit, why=why)
        self._failed(why)
