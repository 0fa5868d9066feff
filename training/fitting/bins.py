"""Bin edges for events that stay on disk: by value, and by all that is known of fraud.

Both libraries bin a long set by a small part of it. Here that part is all frauds, up to a limit, and a draw
of the legitimate events. A feature with fewer distinct values in it than there are bins keeps every one of
them, as money amounts mostly do; of others the bins are quantiles of this part, in which frauds weigh far
more than their share: a threshold near the amount that gives a fraud away stays a threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.memory_map import let_go
from training.dataset.reading import STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.dataset.events import LabelledEvents

MOST_FRAUDS = 100_000
MOST_LEGITIMATE = 200_000


def rows_for_bins(events: LabelledEvents, seed: int) -> NDArray[np.float64]:
    """The features of the events that bins are made by."""
    random = np.random.default_rng(seed)
    frauds, others = np.flatnonzero(events.fraud), np.flatnonzero(~events.fraud)
    chosen = [
        random.choice(rows, most, replace=False) if len(rows) > most else rows
        for rows, most in ((frauds, MOST_FRAUDS), (others, MOST_LEGITIMATE))
    ]
    rows = np.sort(np.concatenate(chosen))
    found = np.empty((len(rows), events.features.shape[1]))
    for at in range(0, len(rows), STEP):
        found[at : at + STEP] = events.features[rows[at : at + STEP]]
        let_go(events.features)
    return found
