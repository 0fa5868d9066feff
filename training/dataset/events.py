"""Labelled events as arrays, oldest first: what is fitted and judged."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from training.dataset.reading import read_columns

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from training.dataset.coded import Coded, Rows


@dataclass(frozen=True)
class LabelledEvents:
    """One row per event, in event-time order; ``time`` is microseconds since 1970.

    ``weight`` is how many events the row stands for where models are judged, 0 where it says nothing honest;
    ``fit_weight`` the same where one is fitted (docs/discussions/labels.md).
    ``margin`` and ``model`` are what was logged when the event was decided: NaN and none without a champion;
    ``policy_action`` is what the policy asked for, before the control group. ``entity`` has a number from 0
    for every value of the partition key; ``amount`` is ``decision.costs.amount``, NaN without one. ``draw``
    is uniform in [0, 1]: a hash of the event's id, keyed by ``training.seed``. ``features`` may be a memory
    map: a stretch of rows is a view of it.
    """

    time: NDArray[np.int64]
    fraud: NDArray[np.bool_]
    weight: NDArray[np.float64]
    fit_weight: NDArray[np.float64]
    propensity: NDArray[np.float64]
    margin: NDArray[np.float64]
    amount: NDArray[np.float64]
    draw: NDArray[np.float32]
    entity: NDArray[np.int64]
    model: Coded
    policy_action: Coded
    features: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def frauds(self) -> int:
        """How many are frauds, unweighted."""
        return int(self.fraud.sum())

    @property
    def on_disk(self) -> bool:
        """Whether the features are a memory map."""
        return isinstance(self.features, np.memmap)

    def where(self, chosen: Rows) -> LabelledEvents:
        """The chosen rows: a copy by marks, a view by a slice."""
        if not isinstance(chosen, slice) and bool(np.all(chosen)):
            return self
        return LabelledEvents(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def to_fit(self) -> LabelledEvents:
        """The events with the weights to fit and calibrate by."""
        return replace(self, weight=self.fit_weight)

    def to_judge(self) -> LabelledEvents:
        """The events that models may be judged by: a copy, where some may not."""
        return self.where(self.weight > 0)

    def between(self, after: int, until: int) -> LabelledEvents:
        """The events with ``after < time <= until`` (us): a view."""
        first, last = np.searchsorted(self.time, [after, until], side="right")
        return self.where(slice(int(first), max(int(first), int(last))))


def read_labelled(snapshot: Path, pipeline: Pipeline, as_of: int) -> LabelledEvents:
    """The matured events of a snapshot folder, with the labels known at ``as_of`` (us).

    Above ``training.sampling.rows_in_memory`` the features are a memory map of a file beside the snapshot,
    which goes when the process does. Raises ContractError when the snapshot is missing, damaged, or lacks a
    declared feature.
    """
    return LabelledEvents(**read_columns(snapshot, pipeline, as_of))
