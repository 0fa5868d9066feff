"""Rows on which a packed model and its library must agree to the bit, made from its own thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.models.trees.forest import CATEGORIES, FEATURE, FIRST_EDGE, TOP_STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.expressions import Matrix
    from streams.models.trees.forest import Forest, Packed

    Floats = NDArray[np.float64]

_FEWEST, _MOST = 256, 4_096
_ODD = np.array([
    *(0.0, -0.0, np.nan, 1.0, -1.0, 0.5, -0.5, 5e-324, -5e-324, 1e-40, -1e-40, 1e-36, -1e-36),
    *(1e-35, -1e-35, float(np.float32(1e-35)), 1e16, -1e16, 3.0e38, -3.0e38, 1e300, -1e300),
    *(2.0**24, 2.0**31, 2.0**31 - 1, 2.0**63, np.inf, -np.inf),
])  # fmt: skip


def probe_rows(packed: Packed) -> Matrix:
    """At thresholds, just below and above; known and unknown categories; missing, zeros, huge numbers."""
    values = [_ODD] * packed.features
    for feature, found in (*_numbers(packed.forest), *_categories(packed.forest)):
        values[feature] = np.concatenate([found, np.resize(_ODD, max(len(_ODD), len(found) // 10))])
    rows = min(_MOST, max(_FEWEST, *(len(each) for each in values)))
    random = np.random.default_rng(rows)
    matrix = np.empty((rows, packed.features))
    for feature, found in enumerate(values):
        matrix[:, feature] = random.permutation(np.resize(random.permutation(found), rows))
    return matrix


def odd_rows(features: int) -> Matrix:
    """Missing, zeros, huge numbers: for a model of which no more is known."""
    random = np.random.default_rng(features)
    return random.choice(np.concatenate([_ODD, random.normal(size=3 * len(_ODD))]), (_FEWEST, features))


def _numbers(forest: Forest) -> list[tuple[int, Floats]]:
    return [
        (words[FEATURE], _around(forest.edges[words[FIRST_EDGE] :][: 2 * words[TOP_STEP] - 1]))
        for words in forest.numbers.tolist()
    ]


def _around(padded: Floats) -> Floats:
    edges = padded[np.isfinite(padded)]
    found = [edges]
    for towards in (-np.inf, np.inf):
        found.append(np.nextafter(edges, towards))
        found.append(np.nextafter(edges.astype(np.float32), np.float32(towards)).astype(np.float64))
    return np.concatenate(found)


def _categories(forest: Forest) -> list[tuple[int, Floats]]:
    known = [(words[FEATURE], words[CATEGORIES]) for words in forest.categories.tolist()]
    return [(feature, np.arange(-1.0, count + 3.0, 0.5)) for feature, count in known]
