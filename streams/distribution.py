"""Has a distribution moved? How far (PSI), and could it be chance (a chi-square test for clustered samples).

Both look at shares of the same cells. How far is what matters: with enough events any difference is beyond
chance, so a p-value alone says nothing worth waking up for; docs/discussions/drift.md says what was chosen.

* PSI, population stability index: the sum of (after - before) ln(after / before); 0 is as before.
* The test is Pearson's of homogeneity, divided by Kish's design effect (Rao and Scott's first correction),
  which is done by putting in the effective sizes of both samples: events of one customer resemble each other,
  and a thousand of them are not a thousand witnesses.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST = 0.5  # events: an empty cell counts as half a one, so that the index is finite
_EXPECTED = 5.0  # events that the smaller sample should have in a cell: Cochran's rule
_CERTAIN = 1e-300


def cells_of(edges: Sequence[float] | Floats, values: Floats) -> Ints:
    """Which cell each value is in: up to each edge and above the one before, the last one above all."""
    return np.searchsorted(np.asarray(edges, np.float64), values, side="left")


def shares_of(cells: Ints, weights: Floats, count: int) -> Floats:
    """Shares of ``count`` cells, by weight."""
    return np.asarray(np.bincount(cells, weights, count) / max(float(weights.sum()), _CERTAIN))


def cell_shares(edges: Sequence[float] | Floats, values: Floats, weights: Floats) -> Floats:
    """Shares of ``values`` in the cells of ``edges``, by weight."""
    return shares_of(cells_of(edges, values), weights, len(edges) + 1)


def stability_index(before: Sequence[float] | Floats, after: Floats, events: float) -> float:
    """PSI of ``after``, shares among so many ``events``, against ``before``."""
    least = _LEAST / max(events, 1.0)
    held, seen = np.maximum(before, least), np.maximum(after, least)
    return float(np.sum((seen - held) * np.log(seen / held)))


def effective_size(cells: Ints, weights: Floats, groups: Ints) -> float:
    """How many independent events these are worth, in these cells, of these groups (from 0 on).

    Kish's design effects of unequal weights and of clusters: how alike events of one group are is estimated
    from the cells themselves (the intraclass correlation of an analysis of variance, pooled over the cells).
    """
    counting = weights > 0
    if not counting.any():
        return 0.0
    cells, weights, groups = cells[counting], weights[counting], groups[counting]
    by_weight = float(weights.sum()) ** 2 / float(np.sum(weights**2))
    sizes = np.bincount(groups)
    events, members = len(cells), int(np.count_nonzero(sizes))
    typical = float(np.sum(sizes.astype(np.float64) ** 2)) / events
    alike = _alike(cells, groups, sizes, members) if events > members else 0.0
    return max(by_weight / (1.0 + (typical - 1.0) * alike), 1.0)


def _alike(cells: Ints, groups: Ints, sizes: Ints, members: int) -> float:
    """Intraclass correlation, from 0 to 1; 1 where there is but one group."""
    if members == 1:
        return 1.0
    events, width = len(cells), int(cells.max()) + 1
    counts = np.bincount(groups * width + cells, minlength=sizes.size * width).reshape(-1, width)
    of_groups = float(np.sum(counts.astype(np.float64) ** 2 / np.maximum(sizes, 1)[:, None]))
    of_all = float(np.sum(counts.sum(axis=0).astype(np.float64) ** 2)) / events
    between = (of_groups - of_all) / (members - 1)
    within = (events - of_groups) / (events - members)
    usual = (events - float(np.sum(sizes.astype(np.float64) ** 2)) / events) / (members - 1)
    spread = between + (usual - 1.0) * within
    return min(max((between - within) / spread, 0.0), 1.0) if spread > 0 else 0.0


def chance_of_difference(
    before: Sequence[float] | Floats, held: float, after: Sequence[float] | Floats, seen: float
) -> float:
    """P-value of homogeneity: shares among ``held`` and ``seen`` independent events (effective sizes).

    Neighbouring cells with too few expected events are put together; 1 where that leaves nothing to compare.
    """
    if held <= 0 or seen <= 0:
        return 1.0
    pairs = _filled(np.asarray(before, np.float64), np.asarray(after, np.float64), held, seen)
    if len(pairs) < 2:  # noqa: PLR2004  (a single cell holds everything on both sides)
        return 1.0
    one, other = pairs.T
    pooled = (one * held + other * seen) / (held + seen)
    statistic = held * seen / (held + seen) * float(np.sum((one - other) ** 2 / pooled))
    return chi_square_tail(statistic, len(pairs) - 1)


def _filled(before: Floats, after: Floats, held: float, seen: float) -> Floats:
    """(before, after) of cells that both samples can be expected to fill, neighbours put together."""
    cells: list[list[float]] = [[0.0, 0.0]]
    for one, other in zip(before.tolist(), after.tolist(), strict=True):
        if _expected(cells[-1], held, seen) >= _EXPECTED:
            cells.append([0.0, 0.0])
        cells[-1][0] += one
        cells[-1][1] += other
    if len(cells) > 1 and _expected(cells[-1], held, seen) < _EXPECTED:
        last = cells.pop()
        cells[-1] = [cells[-1][0] + last[0], cells[-1][1] + last[1]]
    return np.array(cells)


def _expected(cell: list[float], held: float, seen: float) -> float:
    pooled = (cell[0] * held + cell[1] * seen) / (held + seen)
    return pooled * min(held, seen)


def chi_square_tail(statistic: float, freedom: int) -> float:
    """P(chi-square with ``freedom`` degrees of freedom >= ``statistic``), by its finite sums."""
    if statistic <= 0:
        return 1.0
    half = statistic / 2.0
    if half > 700:  # noqa: PLR2004  (below the least float)
        return 0.0
    even = freedom % 2 == 0
    tail = math.exp(-half) if even else math.erfc(math.sqrt(half))
    term = math.exp(-half) if even else math.exp(-half) / math.sqrt(math.pi * half)
    for step in range(1, freedom // 2 + (0 if even else 1)):
        term *= half / (step if even else step - 0.5)
        tail += term
    return min(tail, 1.0)


def adjusted(chances: Sequence[float]) -> list[float]:
    """P-values of many tests at once, raised so that a bound on them bounds the share of false alarms.

    Benjamini and Hochberg's; it holds for features that move together, as windows of one amount do.
    """
    count = len(chances)
    order = np.argsort(chances)
    raised = np.asarray(chances, np.float64)[order] * count / np.arange(1, count + 1)
    least = np.minimum.accumulate(raised[::-1])[::-1]
    found = np.empty(count)
    found[order] = np.minimum(least, 1.0)
    return [float(each) for each in found]
