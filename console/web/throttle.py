"""Guesses at passwords, made slow: per name, so that none is tried out, and per address."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_S = 300.0
_FORGOTTEN_S = 3_600.0
_MOST = 10_000
_LONGEST = 100
"""Letters of a name or address that are remembered; no user's name is longer."""
_FREE = {"name": 5, "address": 20}
"""Tries before the first wait; behind one address there may be many people."""


@dataclass
class _Tries:
    count: int = 0
    last: float = 0.0

    def wait(self, free: int, now: float) -> float:
        """Seconds until the next try: one after the free ones, then twice as long after each."""
        if self.count < free:
            return 0.0
        pause = min(_LONGEST_S, 2.0 ** min(self.count - free, 30))
        return max(0.0, self.last + pause - now)


class Throttle:
    """Counts tries that were not right; usable from any thread."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tries: dict[tuple[str, str], _Tries] = {}
        self._one_at_a_time = threading.Lock()

    def begin(self, name: str, address: str) -> float:
        """Count a try as failed until ``passed``; more than 0: not now, but in so many seconds."""
        keys, now = (("name", name[:_LONGEST]), ("address", address[:_LONGEST])), self._now()
        with self._one_at_a_time:
            known = (self._tries.get(key) for key in keys)
            wait = max(
                tries.wait(_FREE[kind], now) if tries else 0.0
                for (kind, _), tries in zip(keys, known, strict=True)
            )
            if wait > 0:
                return wait
            for key in keys:
                tries = self._tries.pop(key, None)
                if tries is None or now - tries.last > _FORGOTTEN_S:
                    tries = _Tries()
                tries.count += 1
                tries.last = now
                self._tries[key] = tries  # at the end: the first are those that were not tried for longest
            while len(self._tries) > _MOST:
                del self._tries[next(iter(self._tries))]
        return 0.0

    def passed(self, name: str, address: str) -> None:
        """The try was right: the name's count begins anew, the address's is one less."""
        with self._one_at_a_time:
            self._tries.pop(("name", name[:_LONGEST]), None)
            found = self._tries.get(("address", address[:_LONGEST]))
            if found is not None:
                found.count -= 1
