"""When to try again what could not be done: soon at first, then ever more rarely."""

from __future__ import annotations

import time

_FIRST_S = 2.0
_LONGEST_S = 60.0


class Retry:
    """Whether something that failed is due again, in real time; for any thread."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._pause = _FIRST_S
        self._what = ""

    @property
    def due(self) -> bool:
        """Whether it is time to try."""
        return self._at is not None and time.monotonic() >= self._at

    def over(self) -> None:
        """Nothing waits, until it fails again."""
        self._at = None

    def failed(self, what: str) -> bool:
        """Try again later; True the first time that it is ``what``, so that it is told once."""
        new = what != self._what
        self._pause = _FIRST_S if new else min(_LONGEST_S, 2 * self._pause)
        self._what = what
        self._at = time.monotonic() + self._pause
        return new
