"""The bootstrap by entity: what an entity does comes as a whole, so entities are drawn, not events.

A card that is emptied makes ten frauds that rise and fall together. Drawing its events one by one would count
them as ten opinions and make every interval too narrow. Each resample gives every entity a Poisson(1) count,
which its events share: the bootstrap for sums and ratios, without gathering a row.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CONFIDENCE = 0.95
"""Of a two-sided interval, where nothing else is asked."""

RESAMPLES = 400
"""Enough for the ends of such an interval to move by about a twentieth of its width."""

_NORMAL = NormalDist()
_FARTHEST = 0.7
"""The share of resamples below the value that is corrected for at most: a sum of distances, like a
calibration error, is larger on nearly all, and to correct for all of that would leave no interval."""


class EntityResamples:
    """The same resamples each time they are walked through: what is compared shares its draws."""

    def __init__(self, entity: NDArray[np.int64], seed: int, resamples: int = RESAMPLES) -> None:
        """``entity``: one code per event, any integers."""
        self._codes = np.unique(entity, return_inverse=True)[1]
        self.entities = int(self._codes.max()) + 1 if len(self._codes) else 0
        self._seed = seed
        self._resamples = resamples

    def weights(self, weight: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        """The weight of each event times how often its entity was drawn, one array per resample."""
        for counts in self.by_entity():
            yield weight * counts[self._codes]

    def __len__(self) -> int:
        return self._resamples

    @property
    def codes(self) -> NDArray[np.int64]:
        """The entity of each event, as a position in what ``by_entity`` gives."""
        return self._codes

    def by_entity(self) -> Iterator[NDArray[np.float64]]:
        """How often each entity was drawn, one array per resample."""
        random = np.random.default_rng(self._seed)
        for _ in range(self._resamples):
            yield random.poisson(1.0, self.entities).astype(np.float64)


def interval(drawn: NDArray[np.float64], value: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The ends of the interval around ``value``, by what its resamples gave; NaN in these is left out.

    Percentiles, moved by how far the median of the resamples is off the value (Efron's bias correction):
    average precision in particular is higher on resamples, where frauds come twice, than on new events.
    NaN where more than half of the resamples are undefined: the rest is no picture of the whole.
    """
    known = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(known) == 0 or 2 * len(known) < len(drawn):
        return float("nan"), float("nan")
    below = float(np.mean(known < value) + np.mean(known == value) / 2)
    off = _NORMAL.inv_cdf(min(max(below, 1 - _FARTHEST), _FARTHEST))
    reach = _NORMAL.inv_cdf((1 + confidence) / 2)
    low, high = np.quantile(known, [_NORMAL.cdf(2 * off - reach), _NORMAL.cdf(2 * off + reach)])
    return float(low), float(high)
