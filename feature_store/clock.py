"""One clock: the wall, or the stream itself.

On the stream clock time is what the records say: the newest ``arrived_at`` seen. Deadlines, maturity and
schedules read this clock and nothing else, so a replay of last year behaves as last year did.
"""

from __future__ import annotations

import time
from typing import Literal, Protocol

from feature_store.units import LAST_INSTANT

ARRIVED_AT = "arrived_at"
"""Header that ``simulate`` and ``replay`` write: decimal ASCII milliseconds since 1970 UTC."""

_LONGEST = 14  # digits: far beyond any date, and safe in microseconds

ClockName = Literal["wall", "stream"]
Headers = list[tuple[str, bytes | None]] | None


class Clock(Protocol):
    """What time it is, in microseconds since 1970 UTC."""

    by_header: bool
    """Whether arrivals stand in headers; else nobody needs to read those."""

    def now(self) -> int:
        """The current time of this clock; 0 on a stream clock that has seen nothing."""
        ...

    def observe(self, arrival: int) -> None:
        """Learn that a record arrived at ``arrival``."""
        ...

    def arrival(self, headers: Headers, record_time_ms: int, now: int | None = None) -> int:
        """When a record arrived: by its header on the stream clock, else by Kafka's timestamp.

        ``now`` is what ``now()`` gave, for a caller that asks about many records at once.
        """
        ...


class WallClock:
    """The machine's clock; arrivals are Kafka's own record times."""

    by_header = False

    def now(self) -> int:
        """Wall time."""
        return time.time_ns() // 1_000

    def observe(self, arrival: int) -> None:
        """Wall time needs no telling."""

    def arrival(self, headers: Headers, record_time_ms: int, now: int | None = None) -> int:
        """Kafka's record time, which is a producer's word: never later than now, never before 1970."""
        del headers
        return min(max(record_time_ms, 0) * 1_000, self.now() if now is None else now)


class StreamClock:
    """Time as the records tell it; it never goes back."""

    by_header = True

    def __init__(self) -> None:
        self._now = 0

    def now(self) -> int:
        """The newest arrival observed."""
        return self._now

    def observe(self, arrival: int) -> None:
        """Move forward to ``arrival``, never back."""
        self._now = max(self._now, arrival)

    def arrival(self, headers: Headers, record_time_ms: int, now: int | None = None) -> int:
        """The ``arrived_at`` header; Kafka's record time where it is missing or not a number."""
        del now
        for name, value in headers or ():
            if name == ARRIVED_AT and value is not None and value.isdigit() and len(value) <= _LONGEST:
                return int(value) * 1_000
        return min(max(record_time_ms, 0) * 1_000, LAST_INSTANT)


def clock_named(name: ClockName) -> Clock:
    """The clock that the pipeline file names."""
    return StreamClock() if name == "stream" else WallClock()
