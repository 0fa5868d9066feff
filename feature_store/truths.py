"""SQL's three-valued logic and its numbers, as numpy columns."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "COMPARE_EQUAL": operator.eq,
    "COMPARE_NOTEQUAL": operator.ne,
    "COMPARE_LESSTHAN": operator.lt,
    "COMPARE_LESSTHANOREQUALTO": operator.le,
    "COMPARE_GREATERTHAN": operator.gt,
    "COMPARE_GREATERTHANOREQUALTO": operator.ge,
}
"""What DuckDB's parser calls them."""


@dataclass(frozen=True)
class Truth:
    """True, false, or, where neither says so, null."""

    yes: Bools
    no: Bools

    @classmethod
    def of(cls, holds: Bools, valid: Bools) -> Truth:
        """What ``holds`` says where it is ``valid``, else null."""
        return cls(holds & valid, ~holds & valid)

    def __and__(self, other: Truth) -> Truth:
        """SQL's AND: false where either is."""
        return Truth(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: Truth) -> Truth:
        """SQL's OR: true where either is."""
        return Truth(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> Truth:
        """SQL's NOT."""
        return Truth(self.no, self.yes)

    def numbers(self) -> Floats:
        """1, 0, or NaN for null."""
        return np.where(self.yes, 1.0, np.where(self.no, 0.0, np.nan))


@dataclass(frozen=True)
class Number:
    """Whole numbers of which 10 ** ``scale`` make one, or floats where ``scale`` is None."""

    values: np.ndarray[tuple[int], np.dtype[Any]]
    valid: Bools
    scale: int | None

    def numbers(self) -> Floats:
        """As floats, NaN for null."""
        values = self.values / 10**self.scale if self.scale else self.values.astype(np.float64)
        return np.where(self.valid, values, np.nan)
