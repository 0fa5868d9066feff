"""Labelled events as arrays, oldest first: what is fitted and judged."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from feature_store.memory_map import let_go, memory_map
from training.dataset.reading import STEP, read_columns

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
    map: a stretch of rows is a view of it; ``room`` is the folder where more of its kind may be put.
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
    room: Path | None = None

    def __len__(self) -> int:
        return len(self.time)

    @property
    def frauds(self) -> int:
        """How many are frauds, unweighted."""
        return int(self.fraud.sum())

    @property
    def on_disk(self) -> bool:
        """Whether the features are a memory map."""
        return self.room is not None

    def where(self, chosen: Rows) -> LabelledEvents:
        """The chosen rows: a copy by marks (on disk, of what is there), a view by a slice."""
        if not isinstance(chosen, slice) and bool(np.all(chosen)):
            return self
        columns = {name: getattr(self, name)[chosen] for name in _COLUMNS}
        if self.room is not None and not isinstance(chosen, slice):
            return LabelledEvents(
                **columns, features=self._on_disk(self.room, np.flatnonzero(chosen)), room=self.room
            )
        return LabelledEvents(**columns, features=self.features[chosen], room=self.room)

    def with_features(self, positions: list[int]) -> LabelledEvents:
        """The same events by some of their features, in this order."""
        if positions == list(range(self.features.shape[1])):
            return self
        if self.room is None:
            return replace(self, features=self.features[:, positions])
        return replace(self, features=self._on_disk(self.room, np.arange(len(self)), positions))

    def to_fit(self) -> LabelledEvents:
        """The events with the weights to fit and calibrate by."""
        return replace(self, weight=self.fit_weight)

    def to_judge(self) -> LabelledEvents:
        """The events that models may be judged by: a copy, where some may not."""
        return self.where(self.weight > 0)

    def _on_disk(
        self, room: Path, rows: NDArray[np.intp], positions: list[int] | None = None
    ) -> NDArray[np.float64]:
        """These rows of the features, copied from file to file."""
        columns = list(range(self.features.shape[1])) if positions is None else positions
        copy = memory_map(room, len(rows), len(columns))
        for start in range(0, len(rows), STEP):
            copy[start : start + STEP] = self.features[rows[start : start + STEP]][:, columns]
            let_go(self.features)
            let_go(copy)
        return copy

    def between(self, after: int, until: int) -> LabelledEvents:
        """The events with ``after < time <= until`` (us): a view."""
        first, last = np.searchsorted(self.time, [after, until], side="right")
        return self.where(slice(int(first), max(int(first), int(last))))


_COLUMNS = tuple(field.name for field in fields(LabelledEvents) if field.name not in {"features", "room"})


def read_labelled(snapshot: Path, pipeline: Pipeline, as_of: int) -> LabelledEvents:
    """The matured events of a snapshot folder, with the labels known at ``as_of`` (us).

    Above ``training.sampling.rows_in_memory`` the features are a memory map of a file beside the snapshot,
    which goes when the process does. Raises ContractError when the snapshot is missing, damaged, or lacks a
    declared feature.
    """
    columns = read_columns(snapshot, pipeline, as_of)
    on_disk = isinstance(columns["features"], np.memmap)
    return LabelledEvents(**columns, room=snapshot if on_disk else None)
