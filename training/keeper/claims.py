"""Who works on which review: short leases, so that two people do not do the same one."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LEASE_S = 180.0
"""Of real time; whoever still looks at it asks again before."""


class Claims:
    """In memory, of one keeper: a restart forgets them, which costs a double look at worst."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._one_at_a_time = threading.Lock()
        self._held: dict[str, tuple[str, float]] = {}

    def claim(self, event_id: str, who: str) -> str:
        """Hold the event for ``who``, who lets go of any other; returns who has it: perhaps somebody else."""
        with self._one_at_a_time:
            self._expire()
            holder = self._held.get(event_id, (who, 0.0))[0]
            if holder == who:
                self._held = {event: held for event, held in self._held.items() if held[0] != who}
                self._held[event_id] = (who, self._now_s() + LEASE_S)
            return holder

    def release(self, event_id: str) -> None:
        """Nobody has it any more."""
        with self._one_at_a_time:
            self._held.pop(event_id, None)

    def holders(self) -> dict[str, str]:
        """Event -> who has it."""
        with self._one_at_a_time:
            self._expire()
            return {event: who for event, (who, _) in self._held.items()}

    def _expire(self) -> None:
        now = self._now_s()
        self._held = {event: held for event, held in self._held.items() if held[1] > now}
