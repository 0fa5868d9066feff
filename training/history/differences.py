"""What one engine says about events, held to what another says, feature by feature.

Counts, sums and means of integers and decimals, min, max, distinct, last and since_last are equal to the bit.
Floats, and standard deviations, may differ by 1e-9 of the largest input of their window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.declaration.aggregates import Aggregate
from feature_store.declaration.event import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from feature_store.declaration.aggregates import WindowFeature
    from feature_store.declaration.pipeline import Pipeline

    Room = Callable[[WindowFeature, NDArray[np.int64]], NDArray[np.float64]]

RELATIVE = 1e-9
"""How far a float may be off, as a share of the largest input of its window."""

_FOLDED = {Aggregate.SUM, Aggregate.MEAN, Aggregate.STD}


@dataclass(frozen=True)
class Difference:
    """One event that both sides say different things about; None is null."""

    event_id: str
    found: float | None
    computed: float | None


@dataclass(frozen=True)
class Compared:
    """One feature: how many rows were compared, and how many differ.

    ``largest`` is the largest difference between two numbers, None where none differ, or only in being
    null; ``example`` is the event of it. ``other`` rows were computed under another definition of the
    feature, or under one that was not kept, and left out.
    """

    name: str
    hash: str
    rows: int
    differences: int
    largest: float | None
    example: Difference | None
    other: int = 0


def compare(
    folded: WindowFeature | None,
    name: str,
    definition: str,
    ids: Any,
    found: NDArray[np.float64],
    computed: NDArray[np.float64],
    rows: NDArray[np.int64],
    room: Room,
) -> Compared:
    """Hold ``found`` to ``computed`` (NaN: null) at ``rows``.

    ``folded`` is the feature where the order of additions shows in it, None where both are equal to the bit;
    ``room`` then tells how far apart the two may be, for rows that differ by more than a share of the value.
    """
    a, b = found[rows], computed[rows]
    differ = differing(folded, a, b, rows, room)
    return _told(name, definition, ids, a, b, rows, differ)


def differing(
    folded: WindowFeature | None,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    rows: NDArray[np.int64],
    room: Room,
) -> NDArray[np.bool_]:
    """Where ``a``, found at ``rows``, is not ``b``, computed for them; the rest is as in ``compare``."""
    differ: NDArray[np.bool_] = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if folded is not None and differ.any():
        with np.errstate(invalid="ignore"):
            differ &= ~(np.abs(a - b) <= RELATIVE * np.abs(b))
            if differ.any():
                places = np.flatnonzero(differ)
                differ[places] = ~(np.abs(a - b)[places] <= room(folded, rows[places]))
    return differ


def is_folded(pipeline: Pipeline, feature: WindowFeature) -> bool:
    """Whether the value depends on the order in which floats are added up."""
    if feature.aggregate not in _FOLDED:
        return False
    kind = pipeline.event.fields[feature.column or ""].type.kind
    return kind is Kind.FLOAT or feature.aggregate is Aggregate.STD


def _told(
    name: str,
    definition: str,
    ids: Any,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    rows: NDArray[np.int64],
    differ: NDArray[np.bool_],
) -> Compared:
    if not differ.any():
        return Compared(name, definition, len(rows), 0, None, None)
    gaps = np.where(differ, np.abs(a - b), -1.0)
    numbers = ~np.isnan(gaps)
    largest = float(gaps[numbers].max()) if (gaps[numbers] >= 0).any() else None
    place = int(np.flatnonzero(gaps == largest)[0]) if largest is not None else int(np.flatnonzero(differ)[0])
    example = Difference(str(ids[int(rows[place])]), _number(a[place]), _number(b[place]))
    return Compared(name, definition, len(rows), int(differ.sum()), largest, example)


def _number(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
