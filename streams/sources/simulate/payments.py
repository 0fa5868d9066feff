"""A day's payments as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

NO_DEVICE = -1


@dataclass(frozen=True)
class Payments:
    """Payments, one row each; customers, cards and terminals by number.

    ``at`` is us since 1970 UTC in whole milliseconds, ``cents`` the amount in minor units, ``country`` where
    the buyer is, ``device`` a number or NO_DEVICE, ``address`` the low 16 bits of an online buyer's address.
    """

    at: Ints
    customer: Ints
    card: Ints
    terminal: Ints
    cents: Ints
    country: Ints
    device: Ints
    address: Ints
    fraud: Bools

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: npt.NDArray[np.int64 | np.bool_]) -> Payments:
        """The chosen rows, in that order."""
        return Payments(*(getattr(self, column.name)[rows] for column in fields(self)))


def in_time_order(parts: list[Payments]) -> Payments:
    """All rows of ``parts`` by time; equal times keep their order."""
    columns = [np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Payments)]
    return Payments(*columns).take(np.argsort(columns[0], kind="stable"))
