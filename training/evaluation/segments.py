"""Segments: events told apart by a column of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LARGEST = 20
"""Labels of one column that stand for themselves; what is left is ``REST``."""

REST = "(other)"


def by_label(labels: NDArray[np.object_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each label and its rows, in the order of the labels; the rarer ones of many together, last."""
    words = np.array(["-" if label is None else str(label) for label in labels.tolist()], dtype=np.str_)
    names, codes, counts = np.unique(words, return_inverse=True, return_counts=True)
    kept = np.sort(np.argsort(-counts, kind="stable")[:LARGEST])
    for at in kept.tolist():
        yield str(names[at]), codes == at
    if len(kept) < len(names):
        yield REST, ~np.isin(codes, kept)


def deciles(values: NDArray[np.float64]) -> NDArray[np.object_]:
    """A label per value: which tenth of the values it is in, numbered so that labels sort, and its bounds."""
    labels = np.full(len(values), None, dtype=object)
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0:
        return labels
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, 11), method="inverted_cdf"))
    inner = edges[1:-1]
    tenth = np.searchsorted(inner, values[known], side="left")
    lower, upper = np.append(edges[0], inner), np.append(inner, edges[-1])
    words = [
        f"{at + 1:02d}: {'from' if at == 0 else 'above'} {low:g} to {high:g}"
        for at, (low, high) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True))
    ]
    labels[known] = np.array(words, dtype=object)[tenth]
    return labels
