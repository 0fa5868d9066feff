"""Isotonic calibration without ties: the steps of isotonic regression, joined by rising lines.

1. Margins are brought into groups of neighbours, equal ones in the same.
2. Neighbouring groups whose share of fraud does not rise are pooled (pool adjacent violators).
3. Each pool becomes a knot: its mean margin, and the log-odds of its share of fraud, which is drawn a little
   towards the share of all so that it is never 0 or 1.
4. Between knots the map is linear, outside as steep as Platt's line; all knots are shifted together until as
   many frauds are expected as there were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streams.messages import Calibration, Knot
from streams.models.calibration import log_odds_of
from training.fitting.calibration import platt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

_MOST_GROUPS = 4_096
_FLATTEST = 1e-3
"""Of Platt's slope: a line that rises less could make two scores one."""


@dataclass
class _Pool:
    """Neighbours: their weight, that of the frauds among them, and the sum of weighted margins."""

    weight: float
    frauds: float
    margins: float

    def add(self, other: _Pool) -> None:
        self.weight += other.weight
        self.frauds += other.frauds
        self.margins += other.margins


def isotonic(margin: Vector, fraud: NDArray[np.bool_], weight: Vector) -> Calibration:
    """A strictly rising piecewise-linear calibration; Platt's where there are not two pools."""
    line = platt(margin, fraud, weight)
    share = float(np.average(fraud, weights=weight))
    pools: list[_Pool] = []
    for group in _groups(margin, fraud, weight):
        pools.append(group)
        while len(pools) > 1 and _log_odds(pools[-2], share) >= _log_odds(pools[-1], share):
            last = pools.pop()
            pools[-1].add(last)
    knots = _rising(
        [Knot(pool.margins / pool.weight, _log_odds(pool, share)) for pool in pools], _FLATTEST * line.slope
    )
    if len(knots) < 2:  # noqa: PLR2004  (a line has two ends)
        return line
    return _shifted(Calibration(line.slope, knots=knots), margin, fraud, weight)


def _groups(margin: Vector, fraud: NDArray[np.bool_], weight: Vector) -> Iterator[_Pool]:
    order = np.argsort(margin, kind="stable")
    ranked, weights = margin[order], weight[order]
    frauds = weights * fraud[order]
    # where frauds are is where resolution is needed: half of the groups by weight, half by frauds
    reached = np.cumsum(weights) / weights.sum() + np.cumsum(frauds) / frauds.sum()
    group = np.minimum((reached / 2 * _MOST_GROUPS).astype(np.int64), _MOST_GROUPS - 1)
    new = np.append(True, (ranked[1:] != ranked[:-1]) & (group[1:] != group[:-1]))
    starts = np.flatnonzero(new)
    sums = (np.add.reduceat(column, starts) for column in (weights, frauds, weights * ranked))
    for total, bad, margins in zip(*sums, strict=True):
        if total > 0:
            yield _Pool(float(total), float(bad), float(margins))


def _log_odds(pool: _Pool, share: float) -> float:
    rate = (pool.frauds + share) / (pool.weight + 1)
    return float(np.log(rate / (1 - rate)))


def _rising(knots: list[Knot], flattest: float) -> list[Knot]:
    """Without the knots that hardly rise above the one before."""
    kept: list[Knot] = []
    for knot in knots:
        if not kept or (
            knot.margin > kept[-1].margin
            and knot.log_odds - kept[-1].log_odds >= flattest * (knot.margin - kept[-1].margin)
        ):
            kept.append(knot)
    return kept


def _shifted(
    calibration: Calibration, margin: Vector, fraud: NDArray[np.bool_], weight: Vector
) -> Calibration:
    log_odds = log_odds_of(margin, calibration)
    shift = float(_constant(log_odds, fraud, weight))
    return Calibration(
        calibration.slope, knots=[Knot(knot.margin, knot.log_odds + shift) for knot in calibration.knots]
    )


def _constant(log_odds: Vector, fraud: NDArray[np.bool_], weight: Vector) -> float:
    """What to add to all log-odds so that their probabilities sum to the frauds, by bisection."""
    low, high = -20.0, 20.0
    frauds = float(weight[fraud].sum())
    for _ in range(60):
        middle = (low + high) / 2
        expected = float(np.sum(weight / (1 + np.exp(-np.clip(log_odds + middle, -700, 700)))))
        low, high = (middle, high) if expected < frauds else (low, middle)
    return (low + high) / 2
