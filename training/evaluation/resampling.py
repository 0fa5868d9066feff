"""The bootstrap by entity: what an entity does comes as a whole, so entities are drawn, not events.

A card that is emptied makes ten frauds that rise and fall together. Drawing its events one by one would count
them as ten opinions and make every interval too narrow. Each resample gives every entity a Poisson(1) count,
which its events share: the bootstrap for sums and ratios, without gathering a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CONFIDENCE = 0.95
"""Of every two-sided interval."""

RESAMPLES = 400
"""Enough for the ends of such an interval to move by about a twentieth of its width."""


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


def interval(drawn: NDArray[np.float64], confidence: float = CONFIDENCE) -> NDArray[np.float64]:
    """The ends between which resampled values lie, (2,) or (2, columns); values that are NaN are left out.

    NaN where more than half of the resamples are undefined: the rest is no picture of the whole.
    """
    tails = [(1.0 - confidence) / 2, (1.0 + confidence) / 2]
    usable = np.mean(np.isnan(drawn), axis=0) <= 0.5  # noqa: PLR2004  (half)
    ends: NDArray[np.float64] = np.nanquantile(np.where(usable, drawn, 0.0), tails, axis=0)
    return np.where(usable, ends, np.nan)
