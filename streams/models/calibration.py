"""From margin to score and back, as a manifest's calibration says."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.messages import Calibration
    from streams.models.engine import Vector

    Map = Callable[[Vector], Vector]

_MOST_LOG_ODDS = 700  # exp() of more overflows
_LEAST_SCORE = 1e-300
_HALVINGS = 80


def scores_of(margins: Vector, calibration: Calibration) -> Vector:
    """The calibrated probabilities of ``margins``."""
    return probabilities(log_odds_of(margins, calibration))


def log_odds_of(margins: Vector, calibration: Calibration) -> Vector:
    """The calibrated log-odds of ``margins``."""
    return compiled(calibration)(margins)


def probabilities(log_odds: Vector) -> Vector:
    """1 / (1 + exp(-log-odds))."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -_MOST_LOG_ODDS, _MOST_LOG_ODDS))))


def compiled(calibration: Calibration) -> Map:
    """From margins to log-odds, with all prepared that does not change from batch to batch."""
    slope, below, intercept = calibration.slope, calibration.slope_below, calibration.intercept
    if calibration.knots:
        return _between(*_points(calibration), slope)
    if below is not None:
        return lambda margins: np.asarray(
            slope * np.logaddexp(0.0, margins) - below * np.logaddexp(0.0, -margins) + intercept
        )
    return lambda margins: np.asarray(slope * margins + intercept)


def margins_of(scores: Vector, calibration: Calibration) -> Vector:
    """The margins that have these scores, but for rounding."""
    sound = np.clip(scores, _LEAST_SCORE, np.nextafter(1.0, 0.0))
    log_odds = np.log(sound) - np.log1p(-sound)
    if calibration.knots:
        at, values = _points(calibration)
        return _between(values, at, 1 / calibration.slope)(log_odds)
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
    if not np.isfinite([1 / slope for slope in (calibration.slope, calibration.slope_below) if slope]).all():
        return "a calibration slope is too small to be undone"
    if len(calibration.knots) == 1:
        return "one knot is not a line"
    for low, high in pairwise(calibration.knots):
        if not (low.margin < high.margin and low.log_odds < high.log_odds):
            return f"the knots at margins {low.margin:g} and {high.margin:g} do not rise"
        across, up = high.margin - low.margin, high.log_odds - low.log_odds
        if not np.isfinite([across, up, up / across, across / up]).all():
            return f"the line between the knots at margins {low.margin:g} and {high.margin:g} is no number"
    return None


def _points(calibration: Calibration) -> tuple[Vector, Vector]:
    at = np.array([knot.margin for knot in calibration.knots])
    return at, np.array([knot.log_odds for knot in calibration.knots])


def _between(at: Vector, values: Vector, slope: float) -> Map:
    """Linear between the points, of slope ``slope`` outside; rounding never takes it above the next point."""
    rises = np.diff(values) / np.diff(at)

    def follow(x: Vector) -> Vector:
        left = np.clip(np.searchsorted(at, x, side="right") - 1, 0, len(at) - 2)
        inside = np.minimum(values[left] + rises[left] * np.clip(x - at[left], 0.0, None), values[left + 1])
        outside = np.minimum(x - at[0], 0.0) + np.maximum(x - at[-1], 0.0)
        return np.asarray(inside + slope * outside)

    return follow


def _bisected(log_odds: Vector, calibration: Calibration) -> Vector:
    least = min(calibration.slope, calibration.slope_below or calibration.slope)
    reach = (np.abs(log_odds) + abs(calibration.intercept) + 2 * calibration.slope + 1) / least
    low, high = -reach - 2, reach + 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = log_odds_of(middle, calibration) < log_odds
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray((low + high) / 2)
