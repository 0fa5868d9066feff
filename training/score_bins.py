"""Have a model's scores moved from where they lay when it was judged?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.messages.model import ScoreBins

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUANTILES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97])
_LEAST = 0.5  # events: an empty bin counts as half a one, so that the index is finite


def bins_of(scores: NDArray[np.float64], weight: NDArray[np.float64]) -> ScoreBins | None:
    """Deciles of ``scores``, by weight, the highest one parted once more; None without any.

    Scores that many events share end one bin: the shares are what really lies there.
    """
    if not len(scores):
        return None
    order = np.argsort(scores, kind="stable")
    ranked, cumulated = scores[order], np.cumsum(weight[order])
    places = np.searchsorted(cumulated, _QUANTILES * cumulated[-1])
    edges = np.unique(ranked[np.minimum(places, len(ranked) - 1)])
    placed = np.searchsorted(edges, scores, side="left")
    shares = np.bincount(placed, weights=weight, minlength=len(edges) + 1) / cumulated[-1]
    return ScoreBins(edges.tolist(), shares.tolist())


def shift(bins: ScoreBins, scores: NDArray[np.float64]) -> float:
    """Population stability index of ``scores``: 0 is as before, 0.25 much by custom."""
    edges = np.asarray(bins.edges)
    counts = np.bincount(np.searchsorted(edges, scores, side="left"), minlength=len(edges) + 1)
    least = _LEAST / max(len(scores), 1)
    after = np.maximum(counts / max(len(scores), 1), least)
    before = np.maximum(bins.shares, least)
    return float(np.sum((after - before) * np.log(after / before)))
