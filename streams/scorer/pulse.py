"""What the scorer says about itself in the log, every few seconds; only metrics may read wall time."""

from __future__ import annotations

import time

import numpy as np
import structlog

_log = structlog.get_logger()
_EVERY_S = 5.0


class Pulse:
    """Counts of the last few seconds."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._events = 0
        self._refused = 0
        self._batches: list[float] = []

    def count(self, events: int, refused: int, seconds: float) -> None:
        """One committed step."""
        self._events += events
        self._refused += refused
        self._batches.append(seconds)

    def beat(self, epoch: int) -> None:
        """Write a line when it is time."""
        elapsed = time.monotonic() - self._since
        if elapsed < _EVERY_S:
            return
        if self._batches:
            p50, p99 = np.percentile(self._batches, [50, 99]) * 1_000
            _log.info(
                "scorer_pulse",
                events_per_s=round(self._events / elapsed),
                batches=len(self._batches),
                batch_ms_p50=round(float(p50), 2),
                batch_ms_p99=round(float(p99), 2),
                dead_letters=self._refused,
                epoch=epoch,
            )
        self._since, self._events, self._refused, self._batches = time.monotonic(), 0, 0, []
