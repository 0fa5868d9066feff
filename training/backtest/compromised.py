"""Entities that are known to be compromised: nobody would score their events any more, so none is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.cards import DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.backtest.folds import Fold
    from training.backtest.past import Past

_NEVER = np.iinfo(np.int64).max


def not_compromised(past: Past, fold: Fold) -> NDArray[np.bool_]:
    """Which tested events are of entities of which no fraud was known when the day began.

    Frauds count from where the trained stretch begins, days from where the test begins.
    """
    times = past.events.time
    first, last = np.searchsorted(times, [fold.tested_from, fold.tested_until], side="left")
    start = np.searchsorted(times, fold.trained_from, side="left")
    earlier = slice(int(start), int(last))
    entity, fraud = past.events.entity, past.events.fraud[earlier]
    known_from = np.full(entity.max(initial=-1) + 1, _NEVER)
    np.minimum.at(known_from, entity[earlier][fraud], past.told[earlier][fraud])
    tested = slice(int(first), int(last))
    day_began = times[tested] - (times[tested] - fold.tested_from) % DAY
    return np.asarray(known_from[entity[tested]] >= day_began)
