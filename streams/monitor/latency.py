"""Decision latency: percentiles from log-spaced buckets, in total and over the last minute."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.monitor.ring import Ring

if TYPE_CHECKING:
    from streams.monitor.arrays import Floats, Ints

_MINUTE = 60_000_000
_LONGEST_MS = 600_000.0
_STEP = 1.05

EDGES: Floats = np.unique(
    np.concatenate(
        [np.arange(0.0, 21.0), np.geomspace(20.0, _LONGEST_MS, 1 + math.ceil(np.log(30_000) / np.log(_STEP)))]
    )
)
"""Upper edges of the buckets, in ms: every whole millisecond to 20, then at most 5 % apart to ten minutes."""

_QUANTILES = {"p50": 0.50, "p99": 0.99, "p999": 0.999}


class Latency:
    """A histogram of latencies; memory does not depend on how many there are."""

    def __init__(self) -> None:
        self._total = np.zeros(EDGES.size, np.int64)
        self._minute = Ring(_MINUTE, EDGES.size)

    def add(self, times: Ints, milliseconds: Floats) -> None:
        """Count latencies of decisions that were written at ``times`` (us).

        Below zero (two machines' clocks) counts as zero; beyond ten minutes counts as ten minutes.
        """
        bins = np.searchsorted(EDGES, np.clip(milliseconds, 0.0, _LONGEST_MS), side="left")
        bins = np.minimum(bins, EDGES.size - 1).astype(np.int64)
        self._total += np.bincount(bins, minlength=EDGES.size)
        self._minute.add(times, bins)

    def status(self, now: int) -> dict[str, Any]:
        """Percentiles in ms, of everything and of the minute before ``now`` (us)."""
        return {"total": _percentiles(self._total), "last_minute": _percentiles(self._minute.total(now))}


def _percentiles(counts: Ints) -> dict[str, float | int | None]:
    total = int(counts.sum())
    found: dict[str, float | int | None] = {"count": total}
    reached = np.cumsum(counts)
    for name, share in _QUANTILES.items():
        rank = int(np.ceil(share * total))
        found[name] = round(float(EDGES[np.searchsorted(reached, rank)]), 3) if total else None
    return found
