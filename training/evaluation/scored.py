"""What is measured: events with their truth, their score, and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from training.dataset.events import LabelledEvents


@dataclass(frozen=True)
class Scored:
    """One row per labelled event.

    ``score`` is the probability of fraud, ``weight`` how many events the row stands for, ``entity`` any code
    of the partition key, ``time`` us since 1970, ``amount`` in its currency unit, NaN where it is absent.
    """

    fraud: NDArray[np.bool_]
    score: NDArray[np.float64]
    weight: NDArray[np.float64]
    entity: NDArray[np.int64]
    time: NDArray[np.int64]
    amount: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.fraud)

    def where(self, chosen: NDArray[np.bool_]) -> Scored:
        """The chosen rows."""
        return Scored(*(getattr(self, field.name)[chosen] for field in fields(self)))


def scored(events: LabelledEvents, score: NDArray[np.float64]) -> Scored:
    """Labelled events with a score each."""
    return Scored(events.fraud, score, events.weight, events.entity, events.time, events.amount)
