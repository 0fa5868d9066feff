"""Has a feature gone? It has one value, or none, in all of a stretch, which never was so before.

The judged stretch is cut into parts, and so is the past, into parts of the same length. A feature that is the
same in all of a judged part is gone unless that is usual for it (``weekend`` is the same all day long: many
past parts are constant, too) or could be chance (a rare flag that happens to be nowhere set).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from training.contract import Check
from training.gate.labels import TRUST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.dataset.split import Split

NAME = "feature_gone"
PARTS = 4
"""Into which the judged stretch is cut: what went in its middle is found, too."""
_LEAST_ROWS = 50
"""In a part that says anything."""
_MOST_PARTS = 60
"""Of the past that are looked at, the newest: its memory is enough, and its cost stays small."""
_USUAL = 0.1
"""Of the past parts constant: so it is with this feature."""
_CHANCE = 1e-9


def features_there(split: Split, names: Sequence[str]) -> list[Check]:
    """One check: no feature has gone."""
    judged = _parts(split.judged.time, split.judged.features, split.judged_until, split.judged_from, PARTS)
    length = (split.judged_until - split.judged_from) // PARTS
    parts = min(_MOST_PARTS, (split.fitted_until - split.fitted_from) // max(length, 1))
    past = [
        part
        for stretch in (split.fit, split.validation)
        for part in _parts(
            stretch.time, stretch.features, split.fitted_until, split.fitted_until - parts * length, parts
        )
    ]
    if not judged or not past:
        return []
    gone = [said for place, name in enumerate(names) if (said := _gone(judged, past, place, name))]
    return [
        Check(NAME, not gone, "; ".join([*gone, TRUST]) if gone else "every feature still varies as it did")
    ]


def _parts(
    time: NDArray[np.int64], features: NDArray[np.float64], until: int, since: int, parts: int
) -> list[NDArray[np.float64]]:
    """The rows of equal stretches of time; without those that have too few."""
    cuts = np.searchsorted(time, np.linspace(since, until, parts + 1).astype(np.int64), side="right")
    found = [features[low:high] for low, high in pairwise(cuts)]
    return [part for part in found if len(part) >= _LEAST_ROWS]


def _gone(
    judged: list[NDArray[np.float64]], past: list[NDArray[np.float64]], place: int, name: str
) -> str | None:
    suspects = [part[:, place] for part in judged if _constant(part[:, place])]
    if not suspects or np.mean([_constant(part[:, place]) for part in past]) >= _USUAL:
        return None
    before = np.concatenate([part[:, place] for part in past])
    for values in suspects:
        share = float(np.mean(_same(before, values[0])))
        if share ** len(values) < _CHANCE:
            what = "missing" if np.isnan(values[0]) else f"{values[0]:g}"
            return f"{name} is {what} in {len(values):,} judged events on end, and was in {share:.1%} before"
    return None


def _constant(values: NDArray[np.float64]) -> bool:
    return bool(np.all(_same(values, values[0])))


def _same(values: NDArray[np.float64], value: float) -> NDArray[np.bool_]:
    return np.isnan(values) if np.isnan(value) else values == value
