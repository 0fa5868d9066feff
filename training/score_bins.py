"""Where a model's scores lay when it was judged, and whether they have moved from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.distribution import cell_shares, stability_index
from streams.messages.model import ScoreBins

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUANTILES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97])


def bins_of(scores: NDArray[np.float64], weight: NDArray[np.float64]) -> ScoreBins | None:
    """Deciles of ``scores``, by weight, the highest one parted once more; None without any.

    Scores that many events share end one bin: the shares are what really lies there.
    """
    if not len(scores):
        return None
    edges = deciles(scores, weight)
    return ScoreBins(edges.tolist(), cell_shares(edges, scores, weight).tolist())


def deciles(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """The edges of ``bins_of``, each one of ``values``, which are some; fewer where many are equal."""
    order = np.argsort(values, kind="stable")
    ranked, cumulated = values[order], np.cumsum(weight[order])
    places = np.searchsorted(cumulated, _QUANTILES * cumulated[-1])
    return np.unique(ranked[np.minimum(places, len(ranked) - 1)])


def shift(bins: ScoreBins, scores: NDArray[np.float64]) -> float:
    """Population stability index of ``scores``: 0 is as before, 0.25 much by custom."""
    count = len(scores)
    after = cell_shares(bins.edges, scores, np.ones(count))
    return stability_index(bins.shares, after, count)
