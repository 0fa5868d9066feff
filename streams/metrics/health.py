"""Whether a process does its work, as a cluster asks it: alive, and ready."""

from __future__ import annotations

import time

READY_S = 15.0
"""A loop that works turns far more often. Taking partitions over may last longer; nothing is decided then."""
ALIVE_S = 3_600.0
"""As long as Kafka leaves a member of a group that reads a long log to take a partition over."""


class Health:
    """Told by a process's loop at every turn; asked by another thread."""

    def __init__(self, ready_s: float = READY_S, alive_s: float = ALIVE_S) -> None:
        """``ready_s`` and ``alive_s``: so long after its last turn a process still is that."""
        self._ready_s = ready_s
        self._alive_s = alive_s
        self._began = time.monotonic()
        self._last: float | None = None

    def beat(self) -> None:
        """The loop has turned."""
        self._last = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether it works now; not while it starts, nor while it takes partitions over."""
        return self._last is not None and time.monotonic() - self._last <= self._ready_s

    @property
    def alive(self) -> bool:
        """Whether it may still come round; a process that is not should be started anew."""
        return time.monotonic() - (self._began if self._last is None else self._last) <= self._alive_s
