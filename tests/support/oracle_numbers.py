"""What an exact value allows an engine to say: itself, within the tolerance that the design grants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.declaration.event import FieldType, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = float(np.finfo(np.float32).max)
_RELATIVE = 1e-9
_ROUNDED = 1e-12
"""A quotient of integers that float64 cannot hold exactly."""
_WHOLE = 2**53
_FINEST = 2**1074
_SMALLEST = 1e-300
"""Below this float64 loses digits one by one."""
_SMALLEST_SQUARED = 1e-150


@dataclass(frozen=True)
class Expected:
    """A value, NaN for null, and how far an engine may be from it."""

    value: float
    within: float = 0.0

    @property
    def null(self) -> bool:
        """Whether there is no value."""
        return math.isnan(self.value)

    def allows(self, found: float) -> bool:
        """Whether an engine may answer ``found``. What a float32 cannot hold becomes null."""
        if math.isnan(found):
            return self.null or abs(self.value) + self.within > LARGEST
        return abs(found) <= LARGEST and abs(found - self.value) <= self.within

    def over(self, other: Expected) -> Expected:
        """The ratio of both; null where one is null or the denominator is 0."""
        if self.null or other.null or (other.value == 0.0 and other.within == 0.0):
            return NULL
        room = abs(other.value) - other.within
        if room <= 0.0:
            return ANYTHING
        value = self.value / other.value
        if self.within == other.within == 0.0:
            return Expected(value)
        return Expected(value, (self.within + abs(value) * other.within) / room + _ROUNDED * abs(value))

    def or_else(self, empty: float | None) -> Expected:
        """``empty`` where there is no value."""
        return Expected(empty) if self.null and empty is not None else self


NULL = Expected(math.nan)
ANYTHING = Expected(0.0, math.inf)
"""A quotient whose denominator may be zero as far as the tolerance goes."""


def total(kind: FieldType, values: Sequence[Any]) -> Expected:
    """The sum; 0 of nothing."""
    if kind.kind is Kind.FLOAT:
        return Expected(_as_float(_sum(values)), _tolerance(kind, values))
    return Expected(float(sum(values)) / 10**kind.scale)


def mean(kind: FieldType, values: Sequence[Any]) -> Expected:
    """The mean; null of nothing."""
    if not values:
        return NULL
    count = len(values)
    if kind.kind is Kind.FLOAT:
        return Expected(_as_float(_sum(values) / count), _tolerance(kind, values))
    minor, unit = sum(values), count * 10**kind.scale
    value = float(minor) / unit
    return Expected(value, 0.0 if abs(minor) < _WHOLE and unit < _WHOLE else _ROUNDED * abs(value))


def deviation(kind: FieldType, values: Sequence[Any]) -> Expected:
    """The sample standard deviation; null below two values."""
    count = len(values)
    if count < 2:
        return NULL
    whole = _whole(values) if kind.kind is Kind.FLOAT else list(values)
    unit = _FINEST if kind.kind is Kind.FLOAT else 10**kind.scale
    squares = count * sum(value * value for value in whole) - sum(whole) ** 2
    value = math.sqrt(_as_float(Fraction(squares, count * (count - 1) * unit * unit)))
    return Expected(value, max(_tolerance(kind, values), _RELATIVE * value, _SMALLEST_SQUARED))


def _sum(values: Sequence[float]) -> Fraction:
    return Fraction(sum(_whole(values)), _FINEST)


def _whole(values: Sequence[float]) -> list[int]:
    """The values in units of 2**-1074, of which every float64 is a whole number."""
    ratios = [float(value).as_integer_ratio() for value in values]
    return [above * (_FINEST // below) for above, below in ratios]


def one(kind: FieldType, value: Any) -> Expected:
    """One of the values itself, in its own unit."""
    return Expected(float(value) / 10**kind.scale)


def _tolerance(kind: FieldType, values: Sequence[Any]) -> float:
    """1e-9 of the largest input of the window."""
    largest = max((abs(float(value)) for value in values), default=0.0) / 10**kind.scale
    return max(_RELATIVE * largest, _SMALLEST) if values else 0.0


def _as_float(exact: Fraction) -> float:
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf
