"""From margin to score and back, as a manifest's calibration says."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streams.messages import Calibration
    from streams.models.engine import Vector

_MOST_LOG_ODDS = 700  # exp() of more overflows
_LEAST_SCORE = 1e-300
_HALVINGS = 80


def scores_of(margins: Vector, calibration: Calibration) -> Vector:
    """The calibrated probabilities of ``margins``."""
    log_odds = np.clip(log_odds_of(margins, calibration), -_MOST_LOG_ODDS, _MOST_LOG_ODDS)
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


def log_odds_of(margins: Vector, calibration: Calibration) -> Vector:
    """The calibrated log-odds of ``margins``."""
    if calibration.knots:
        at = np.array([knot.margin for knot in calibration.knots])
        return _between(margins, at, np.array([k.log_odds for k in calibration.knots]), calibration.slope)
    if calibration.slope_below is not None:
        above, below = np.logaddexp(0.0, margins), np.logaddexp(0.0, -margins)
        return np.asarray(calibration.slope * above - calibration.slope_below * below + calibration.intercept)
    return np.asarray(calibration.slope * margins + calibration.intercept)


def margins_of(scores: Vector, calibration: Calibration) -> Vector:
    """The margins that have these scores, but for rounding."""
    sound = np.clip(scores, _LEAST_SCORE, np.nextafter(1.0, 0.0))
    log_odds = np.log(sound) - np.log1p(-sound)
    if calibration.knots:
        at = np.array([knot.margin for knot in calibration.knots])
        return _between(
            log_odds, np.array([k.log_odds for k in calibration.knots]), at, 1 / calibration.slope
        )
    if calibration.slope_below is None:
        return np.asarray((log_odds - calibration.intercept) / calibration.slope)
    return _bisected(log_odds, calibration)


def unsound(calibration: Calibration) -> str | None:
    """What is wrong with a calibration that would not keep the order of margins; None where it does."""
    numbers = [calibration.slope, calibration.intercept, calibration.slope_below or 0.0]
    numbers += [number for knot in calibration.knots for number in (knot.margin, knot.log_odds)]
    if not np.isfinite(numbers).all():
        return "its numbers must be finite"
    if calibration.slope <= 0 or (calibration.slope_below is not None and calibration.slope_below <= 0):
        return "a calibration slope must be above zero"
    if len(calibration.knots) == 1:
        return "one knot is not a line"
    for low, high in pairwise(calibration.knots):
        if not (low.margin < high.margin and low.log_odds < high.log_odds):
            return f"the knots at margins {low.margin:g} and {high.margin:g} do not rise"
    return None


def _between(x: Vector, at: Vector, values: Vector, slope: float) -> Vector:
    """Linear between the points, of slope ``slope`` outside; rounding never takes it above the next point."""
    left = np.clip(np.searchsorted(at, x, side="right") - 1, 0, len(at) - 2)
    rises = np.diff(values) / np.diff(at)
    inside = np.minimum(values[left] + rises[left] * np.clip(x - at[left], 0.0, None), values[left + 1])
    outside = np.minimum(x - at[0], 0.0) + np.maximum(x - at[-1], 0.0)
    return np.asarray(inside + slope * outside)


def _bisected(log_odds: Vector, calibration: Calibration) -> Vector:
    least = min(calibration.slope, calibration.slope_below or calibration.slope)
    reach = (np.abs(log_odds) + abs(calibration.intercept) + 2 * calibration.slope + 1) / least
    low, high = -reach - 2, reach + 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = log_odds_of(middle, calibration) < log_odds
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray((low + high) / 2)
