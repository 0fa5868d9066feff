"""What was decided lately, against the seven stretches of the same length before.

Decisions of one day are not independent of each other: the test allows for as much spread as the stretches
before show among themselves (quasi-likelihood for overdispersed shares).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.monitor.log_rows import ACTIONS

if TYPE_CHECKING:
    from feature_store.declaration.monitoring import ActionRateSpec
    from streams.monitor.arrays import Floats, Ints

_PARTS = 24  # of a stretch
_BEFORE = 7
_LEAST_STRETCHES = 2
_DIGITS = 6
_WATCHED = ("review", "decline")


class ActionRates:
    """Counts of decisions that a model took part in, by the time of their arrival."""

    def __init__(self, spec: ActionRateSpec, significance: float) -> None:
        self._spec = spec
        self._significance = significance
        self._width = max(spec.window // _PARTS, 1)
        self._counts: dict[int, Ints] = {}
        self._first: int | None = None

    def add(self, times: Ints, actions: Ints) -> None:
        """Count decisions at ``times`` (us)."""
        if not times.size:
            return
        slots = times // self._width
        first = int(slots.min())
        self._first = first if self._first is None else min(self._first, first)
        places, counts = np.unique(slots * len(ACTIONS) + actions, return_counts=True)
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            slot, action = divmod(place, len(ACTIONS))
            self._counts.setdefault(slot, np.zeros(len(ACTIONS), np.int64))[action] += count
        if len(self._counts) > _PARTS * (_BEFORE + 1):
            oldest = max(self._counts) - _PARTS * (_BEFORE + 1)
            self._counts = {slot: known for slot, known in self._counts.items() if slot > oldest}

    def status(self, now: int) -> dict[str, Any]:
        """Shares of review and decline in the window that ends at ``now`` (us), and how usual they are."""
        stretches = self._stretches(now // self._width)
        seen, before = stretches[0], stretches[1:]
        told = {name: self._told(seen, before, ACTIONS.index(name)) for name in _WATCHED}
        return {
            "window_s": self._spec.window / 1e6,
            "events": int(seen.sum()),
            "stretches": len(before),
            "actions": told,
        }

    def _stretches(self, newest: int) -> Ints:
        """Counts per stretch and action, the newest first; no more than have been seen as a whole."""
        counts = np.zeros((_BEFORE + 1, len(ACTIONS)), np.int64)
        for slot, each in self._counts.items():
            back = (newest - slot) // _PARTS
            if 0 <= back <= _BEFORE:
                counts[back] += each
        whole = 0 if self._first is None else (newest - self._first + 1) // _PARTS
        return counts[: max(min(whole, _BEFORE + 1), 1)]

    def _told(self, seen: Ints, before: Ints, action: int) -> dict[str, Any]:
        events, whole = int(seen.sum()), before[before.sum(axis=1) > 0]
        if not events or len(whole) < _LEAST_STRETCHES:
            share = round(int(seen[action]) / events, _DIGITS) if events else None
            return {"share": share, "usual": None, "p_value": None, "state": "too_little"}
        found, totals = whole[:, action].astype(np.float64), whole.sum(axis=1).astype(np.float64)
        usual, share = float(found.sum() / totals.sum()), int(seen[action]) / events
        chance = _chance(share, events, usual, found, totals)
        told = {"share": round(share, _DIGITS), "usual": round(usual, _DIGITS), "p_value": chance}
        return told | {"state": self._state(share, usual, events, chance)}

    def _state(self, share: float, usual: float, events: int, chance: float) -> str:
        factor = self._spec.factor
        if factor is None or max(share, usual) * events < self._spec.least:
            return "good" if factor is None else "too_little"
        times = max(share, usual) / max(min(share, usual), 0.5 / events)
        if times >= factor and chance < self._significance:
            return "bad"
        return "between" if times > math.sqrt(factor) else "good"


def _chance(share: float, events: int, usual: float, found: Floats, totals: Floats) -> float:
    """P-value, two-sided: the share among so many events is the usual one."""
    spread = usual * (1 - usual)
    if spread == 0:
        return 1.0 if share == usual else 0.0
    beyond = float(np.sum((found - totals * usual) ** 2 / (totals * spread))) / (len(found) - 1)
    error = math.sqrt(max(beyond, 1.0) * spread * (1 / events + 1 / float(totals.sum())))
    return math.erfc(abs(share - usual) / error / math.sqrt(2))
