"""Sessions: who is logged in, until they log out, stay away, or are another person than they were."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.web.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.web.visitor import Role

_MOST = 10_000


@dataclass
class _Session:
    visitor: Visitor
    stamp: str
    begun: float
    used: float


class Sessions:
    """Held in memory, so they end with the keeper; usable from any thread."""

    def __init__(
        self,
        stamp_of: Callable[[str], str | None],
        idle_s: float,
        length_s: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``stamp_of`` gives the stamp that a name has now; a session ends when it is another than at first.

        The clock is the wall's: a laptop that slept was not used.
        """
        self._stamp_of = stamp_of
        self._idle_s = idle_s
        self._length_s = length_s
        self._now = now
        self._open: dict[str, _Session] = {}
        self._one_at_a_time = threading.Lock()

    def begin(self, name: str, role: Role, stamp: str) -> str:
        """Let somebody in; returns what their cookie holds from now on."""
        key, now = secrets.token_urlsafe(32), self._now()
        visitor = Visitor(name, role, secrets.token_urlsafe(32))
        with self._one_at_a_time:
            self._open = {each: found for each, found in self._open.items() if self._lives(found, now)}
            if len(self._open) >= _MOST:
                del self._open[min(self._open, key=lambda each: self._open[each].used)]
            self._open[key] = _Session(visitor, stamp, now, now)
        return key

    def find(self, key: str, *, used: bool = True) -> Visitor | None:
        """Whose session it is; ``used`` False: asked by a script that runs while nobody may be looking."""
        now = self._now()
        with self._one_at_a_time:
            found = self._open.get(key)
            if found is None:
                return None
            if not self._lives(found, now) or self._stamp_of(found.visitor.name) != found.stamp:
                del self._open[key]
                return None
            if used:
                found.used = now
            return found.visitor

    def end(self, key: str) -> None:
        """End a session, if it is one."""
        with self._one_at_a_time:
            self._open.pop(key, None)

    def _lives(self, found: _Session, now: float) -> bool:
        return now - found.used < self._idle_s and now - found.begun < self._length_s
