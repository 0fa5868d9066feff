"""How often a shadow is asked about: at set counts of matured frauds, few in all, each asked more strictly.

Labels mature day by day, and a shadow that is tested at every look would be found surely worse by luck in
the end, however good it is (Armitage, McPherson and Rowe 1969). So it is tested when its frauds have doubled,
on exactly the events up to that fraud, ``MOST`` times at most, and the risk that the declared confidence
leaves is shared out evenly between these looks (Bonferroni). Whatever the looks have to do with each other,
the risk of all of them together is then no more than what was declared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 5
"""Looks: at 1, 2, 4, 8 and 16 times the least frauds."""
RESAMPLES = 1_000
"""So many that the end of an interval as wide as one look's has some beyond it."""


def frauds_at_last_look(frauds: int, least: int) -> int:
    """The number of frauds at which the newest look was due; 0 where none was yet."""
    due = [least << number for number in range(MOST) if least << number <= frauds]
    return due[-1] if due else 0


def confidence_of_each(confidence: float) -> float:
    """That of one look, so that all of them together have ``confidence``."""
    return 1 - (1 - confidence) / MOST


def events_until(pairs: pa.Table, frauds: int) -> pa.Table:
    """The events up to the one that is fraud number ``frauds``, by their time."""
    in_order = pairs.sort_by([("event_time", "ascending")])
    counted = np.cumsum(in_order["fraud"].to_numpy())
    return in_order.slice(0, int(np.searchsorted(counted, frauds)) + 1)
