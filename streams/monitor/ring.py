"""Counts of the last stretch of time, forgotten slot by slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streams.monitor.arrays import Ints

_SLOTS = 60


class Ring:
    """Counts in ``bins`` over the last ``window`` (us), in sixty slots.

    What is older than the window when it comes is not counted; time may come out of order.
    """

    def __init__(self, window: int, bins: int) -> None:
        self._slot = max(window // _SLOTS, 1)
        self._counts = np.zeros((_SLOTS, bins), np.int64)
        self._newest = -1  # absolute number of the newest slot

    def add(self, times: Ints, bins: Ints) -> None:
        """Count one at each of ``times`` (us) in its bin."""
        if not times.size:
            return
        slots = times // self._slot
        self._advance(int(slots.max()))
        kept = slots > self._newest - _SLOTS
        np.add.at(self._counts, (slots[kept] % _SLOTS, bins[kept]), 1)

    def total(self, now: int) -> Ints:
        """Per bin, the count of the window that ends at ``now`` (us)."""
        self._advance(now // self._slot)
        counts: Ints = self._counts.sum(axis=0)
        return counts

    def _advance(self, newest: int) -> None:
        steps = newest - self._newest
        if steps <= 0:
            return
        stale = (np.arange(min(steps, _SLOTS)) + newest - min(steps, _SLOTS) + 1) % _SLOTS
        self._counts[stale] = 0
        self._newest = newest
