"""How many events per second, over a sliding window of whole slots, per action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.monitor.ring import Ring

if TYPE_CHECKING:
    from streams.monitor.arrays import Ints

_SECOND = 1_000_000


class Rates:
    """Events per second by one clock, per action, over the ``window`` (us) before its newest time."""

    def __init__(self, window: int, actions: tuple[str, ...]) -> None:
        self.window = window
        self.actions = actions
        self._ring = Ring(window, len(actions))
        self._first: int | None = None
        self._newest = 0

    def add(self, times: Ints, actions: Ints) -> None:
        """Count events at ``times`` (us); ``actions`` are indices into the names given."""
        if not times.size:
            return
        oldest = int(times.min())
        self._first = oldest if self._first is None else min(self._first, oldest)
        self._newest = max(self._newest, int(times.max()))
        self._ring.add(times, actions)

    def per_second(self, now: int | None = None) -> dict[str, float]:
        """Action -> events per second up to ``now`` (default: the newest event seen)."""
        if self._first is None:
            return dict.fromkeys(self.actions, 0.0)
        until = self._newest if now is None else max(now, self._newest)
        span = max(min(self.window, until - self._first), _SECOND)
        counts = self._ring.total(until)
        return {
            name: round(float(count) * _SECOND / span, 3)
            for name, count in zip(self.actions, counts, strict=True)
        }
