"""When to try again what could not be done: soon at first, then ever more rarely."""

from __future__ import annotations

import time

_FIRST_S = 2.0
_LONGEST_S = 60.0
_MOST_TOLD = 100


class Retry:
    """Whether something that failed is due again, in real time; for any thread."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._pause = _FIRST_S
        self._told: set[str] = set()

    @property
    def due(self) -> bool:
        """Whether it is time to try."""
        return self._at is not None and time.monotonic() >= self._at

    def over(self) -> None:
        """Nothing waits, until it fails again."""
        self._at = None

    def failed(self, what: str) -> bool:
        """Try again later; True the first time that it is ``what``, so that it is told once."""
        new = what not in self._told
        self._pause = _FIRST_S if new else min(_LONGEST_S, 2 * self._pause)
        if len(self._told) >= _MOST_TOLD:
            self._told.clear()
        self._told.add(what)
        self._at = time.monotonic() + self._pause
        return new
