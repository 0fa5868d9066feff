"""How far each feature lies from where it was when the model was fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_BINS = 10
_ROWS = 50_000


def feature_drift(fitted: Floats, judged: Floats) -> Floats:
    """The population stability index of every column: 0 is equal, above 0.25 is much by custom."""
    before, after = _thinned(fitted), _thinned(judged)
    return np.array([_index(before[:, at], after[:, at]) for at in range(before.shape[1])])


def _index(before: Floats, after: Floats) -> float:
    """What is missing is a bin of its own; an empty bin counts as half an event."""
    known = before[~np.isnan(before)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(known) else np.empty(0)
    shares = []
    for values in (before, after):
        place = np.searchsorted(edges, values, side="left")
        place[np.isnan(values)] = len(edges) + 1
        counts = np.maximum(np.bincount(place, minlength=len(edges) + 2), 0.5)
        shares.append(counts / max(len(values), 1))
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def _thinned(rows: Floats) -> Floats:
    """Every so many rows of a long stretch, in memory."""
    return np.array(rows[:: max(1, -(-len(rows) // _ROWS))])
