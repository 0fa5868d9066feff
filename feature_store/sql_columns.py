"""Columns of a batch as SQL's numbers and truths; what numpy might take in another way is not taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.columns import floats, minor_units, present, words
from feature_store.truths import Bools, Number, Truth

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

_EXACT = 2**53
_DAY = 86_400_000_000

PARTS: dict[str, Callable[[Any], Any]] = {
    "hour": lambda micros: micros // 3_600_000_000 % 24,
    "minute": lambda micros: micros // 60_000_000 % 60,
    "dow": lambda micros: (micros // _DAY + 4) % 7,
    "isodow": lambda micros: (micros // _DAY + 3) % 7 + 1,
}
"""Parts of an instant (us since 1970), by DuckDB's names."""


class UnsureError(Exception):
    """These rows are DuckDB's: numpy might give other values for them."""


def decimals(column: pa.Array[Any], scale: int) -> Number:
    """Decimals as minor units. Raises UnsureError beyond what a float holds exactly."""
    values, valid = minor_units(column), present(column)
    if np.abs(values[valid]).max(initial=0) >= _EXACT:
        raise UnsureError
    return Number(values, valid, scale)


def wholes(column: pa.Array[Any]) -> Number:
    """Whole numbers."""
    return Number(words(column), present(column), 0)


def float_numbers(column: pa.Array[Any]) -> Number:
    """Floats. Raises UnsureError for NaN, which DuckDB puts above all numbers."""
    values, valid = floats(column), present(column)
    if np.isnan(values[valid]).any():
        raise UnsureError
    return Number(values, valid, None)


def bools(column: pa.Array[Any]) -> Bools:
    """What holds; null does not."""
    known = column.fill_null(False) if column.null_count else column
    return np.asarray(known.to_numpy(zero_copy_only=False), np.bool_)


def where(holds: Bools) -> Truth:
    """A truth that is never null."""
    return Truth(holds, ~holds)
