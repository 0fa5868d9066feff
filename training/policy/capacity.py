"""Review capacity: the least margin of a review, such that the reviews of a day fit the people who do them.

Pure functions of what the last day's events asked for and of today's queue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]

TOLERANCE = 0.1
"""Share of the room by which the reviews may be off before the margin is moved."""

_LEAST_LEFT = 1 / 24
"""Of a day: what is left of it is not taken for shorter, or its last minutes would let everything through."""


@dataclass(frozen=True)
class Demand:
    """What events asked for lately.

    ``margins``: of the events for which the score alone, without a limit, asks for a review, in descending
    order; each stands for ``weight`` events a day. ``ruled``: reviews a day that rules and watch lists want.
    """

    margins: Vector
    weight: float
    ruled: float


@dataclass(frozen=True)
class Today:
    """How many reviews a day people can do, how many of today's wait, the share of the day that is left."""

    capacity: float
    waiting: float
    left: float


def room_of(demand: Demand, today: Today) -> float:
    """How many reviews a day the score may ask for: what rules and queue leave, never more than capacity."""
    pace = (today.capacity - today.waiting) / max(today.left, _LEAST_LEFT)
    return max(0.0, min(today.capacity, pace) - demand.ruled)


def least_margin(demand: Demand, room: float) -> float | None:
    """The least margin from which on at most ``room`` reviews a day are asked for; None: all of them fit."""
    fitting = int(room / demand.weight + 1e-9)
    if fitting >= len(demand.margins):
        return None
    return float(np.nextafter(demand.margins[fitting], np.inf))  # above the first that does not fit


def expected(demand: Demand, margin: float | None) -> float:
    """How many reviews a day the score asks for from ``margin`` on."""
    if margin is None:
        return len(demand.margins) * demand.weight
    return int(np.searchsorted(-demand.margins, -margin, side="right")) * demand.weight


def is_off(demand: Demand, room: float, margin: float | None) -> bool:
    """Whether ``margin`` gives noticeably more or fewer reviews than fit: by a tenth, and over one event.

    A margin that is moved is not off any more, so a quiet day makes no new versions.
    """
    slack = max(TOLERANCE * room, demand.weight)
    return abs(expected(demand, margin) - expected(demand, least_margin(demand, room))) > slack
