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
    codes = np.unique(entity, return_inverse=True)[1]
    return CardQueues(fraud, score, codes, time, k).precision(np.ones(len(np.unique(codes))))


class CardQueues:
    """The entities of each day from the most to the least suspicious; sorted once, measured on resamples."""

    def __init__(
        self,
        fraud: NDArray[np.bool_],
        score: NDArray[np.float64],
        codes: NDArray[np.int64],
        time: NDArray[np.int64],
        k: int = 100,
    ) -> None:
        """``codes``: the entity of each event, from 0 without a gap."""
        entities = int(codes.max()) + 1 if len(codes) else 1
        seen, highest, defrauded = _per_day(time // DAY * entities + codes, fraud, score)
        day, card = np.divmod(seen, entities)
        shuffled = np.random.default_rng(0).permutation(entities)
        order = np.lexsort((shuffled[card], -highest, day))
        starts = np.searchsorted(day[order], np.unique(day))[1:]
        self._days = list(zip(np.split(card[order], starts), np.split(defrauded[order], starts), strict=True))
        self._active = len(codes) > 0
        self._k = k

    def precision(self, drawn: NDArray[np.float64]) -> float:
        """Card precision with each entity, by code, as often as it was drawn; NaN without events."""
        if not self._active:
            return float("nan")
        waiting, shares = drawn.copy(), []
        for card, defrauded in self._days:
            places = waiting[card]
            taken = np.clip(self._k - (np.cumsum(places) - places), 0.0, places)
            hit = defrauded & (taken > 0)
            waiting[card[hit]] -= taken[hit]
            shares.append(np.sum(taken[hit]) / self._k)
        return float(np.mean(shares))


def _per_day(
    key: NDArray[np.int64], fraud: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Of every entity and day: its key, its highest score, and whether there was a fraud."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    starts = np.flatnonzero(np.append(np.ones(min(1, len(key)), bool), ordered[1:] != ordered[:-1]))
    if len(key) == 0:
        return ordered, score, fraud
    highest = np.maximum.reduceat(score[order], starts)
    return ordered[starts], highest, np.logical_or.reduceat(fraud[order], starts)
