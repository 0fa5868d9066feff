"""Card precision: how many of the entities that people would look at each day are really defrauded.

The definition is that of Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit
Card Fraud Detection" (2022): an entity is as suspicious on a day as its most suspicious event, the first k
are looked at, and one whose fraud was found is not looked at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = 86_400_000_000
"""In microseconds; days are those of UTC."""


def card_precision(
    fraud: NDArray[np.bool_],
    score: NDArray[np.float64],
    entity: NDArray[np.int64],
    time: NDArray[np.int64],
    k: int = 100,
) -> float:
    """Mean over the days (UTC, of ``time`` in us) of the share of defrauded entities among the first k.

    The divisor is k on every day, also where fewer entities are active, so a perfect ranking need not reach
    1. Entities with equal scores are looked at in one fixed shuffled order, the same for every model and
    blind to labels. Days without events do not count; NaN without events. Weights have no place here: a
    day's queue holds entities, and an event that was never labelled cannot be looked up.
    """
    if len(fraud) == 0:
        return float("nan")
    codes = np.unique(entity, return_inverse=True)[1]
    days = np.unique(time // DAY, return_inverse=True)[1]
    seen, highest, defrauded = _per_day(days * (codes.max() + 1) + codes, fraud, score)
    day, card = np.divmod(seen, codes.max() + 1)
    shuffled = np.random.default_rng(0).permutation(codes.max() + 1)
    order = np.lexsort((shuffled[card], -highest, day))
    day, card, defrauded = day[order], card[order], defrauded[order]
    found = np.zeros(codes.max() + 1, bool)
    hits = []
    for first, end in zip(*_bounds(day), strict=True):
        left = first + np.flatnonzero(~found[card[first:end]])[:k]
        hit = card[left[defrauded[left]]]
        found[hit] = True
        hits.append(len(hit) / k)
    return float(np.mean(hits))


def _per_day(
    key: NDArray[np.int64], fraud: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Of every entity and day: its key, its highest score, and whether there was a fraud."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    highest = np.maximum.reduceat(score[order], starts)
    return ordered[starts], highest, np.logical_or.reduceat(fraud[order], starts)


def _bounds(day: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts = np.flatnonzero(np.append(True, day[1:] != day[:-1]))
    return starts, np.append(starts[1:], len(day))
