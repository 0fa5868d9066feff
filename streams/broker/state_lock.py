"""Advisory lock files that end with their holders: one broker per data folder, one jar resolver."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streams.broker.errors import StateInUseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLL_SECONDS = 0.05
_STOPPING_SECONDS = 30.0


@contextmanager
def exclusive(path: Path, *, wait_seconds: float = 0.0) -> Iterator[int]:
    """Hold the lock file `path` and yield its descriptor.

    A child that inherits the descriptor holds the lock too. Waits `wait_seconds` for a living
    holder, longer for what a dead one has left behind (its broker is still stopping).
    Raises StateInUseError, naming the holder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, path, wait_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield descriptor
        # Not after an error: an interrupted stop leaves a child that holds the lock with reason.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait_seconds: float) -> None:
    start = time.monotonic()
    while not _try_lock(descriptor):
        holder = _holder(descriptor)
        alive = holder is not None and _alive(holder)
        if time.monotonic() - start >= (wait_seconds if alive else _STOPPING_SECONDS):
            raise StateInUseError(
                f"{path.parent} is in use by process {holder or 'unknown'}. Stop that process, or"
                " use another state folder"
            )
        time.sleep(_POLL_SECONDS)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else None


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
