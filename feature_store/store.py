"""The online feature store: a micro-batch in, a float matrix out, in applied order.

State is kept per source partition for entities that the partition key determines, and once over all
partitions for the others. Nothing is final before ``commit``: ``rollback`` gives back exactly what was
there before.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from feature_store.windows import EntityWindows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.columns import Columns
    from feature_store.declaration.aggregates import WindowFeature
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix


class _Group:
    """Where the features of one EntityWindows stand in the matrix."""

    def __init__(self, features: list[WindowFeature], positions: list[int], *, per_partition: bool) -> None:
        self.features = features
        self.positions = positions
        self.per_partition = per_partition


class FeatureStore:
    """Windowed features of one scorer."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._event = pipeline.event
        self._lateness = pipeline.features.lateness
        self._width = len(pipeline.features.window_features())
        self._groups = _groups(pipeline)
        self._global = {
            i: self._new(group) for i, group in enumerate(self._groups) if not group.per_partition
        }
        self._partitions: dict[int, dict[int, EntityWindows]] = {}
        self._watermarks: dict[int, int] = {}
        self._moved: dict[int, int] = {}

    def add_partition(self, partition: int) -> None:
        """Take on a partition with empty state."""
        self._partitions[partition] = {
            i: self._new(group) for i, group in enumerate(self._groups) if group.per_partition
        }
        self._watermarks[partition] = 0

    def drop_partition(self, partition: int) -> None:
        """Forget a partition; state over all partitions is no longer whole and is forgotten with it."""
        self._partitions.pop(partition, None)
        self._watermarks.pop(partition, None)
        self._global = {i: self._new(self._groups[i]) for i in self._global}

    def observe(self, columns: Columns, partitions: Sequence[int]) -> Matrix:
        """The windowed features of every event (rows, features), each seeing what was applied before it."""
        matrix: Matrix = np.empty((len(partitions), self._width))
        times = columns[self._event.time]
        for index, group in enumerate(self._groups):
            windows = [self._windows(index, partition) for partition in partitions]
            rows = [
                window.observe(key, time, values)
                for window, key, time, values in zip(
                    windows, *self._inputs(windows, columns, times), strict=True
                )
            ]
            if rows:
                matrix[:, group.positions] = rows
        self._move(times, partitions)
        return matrix

    def apply(self, columns: Columns, partitions: Sequence[int]) -> None:
        """Add events that were scored before, in applied order: recovery from the feature log."""
        times = columns[self._event.time]
        for index in range(len(self._groups)):
            windows = [self._windows(index, partition) for partition in partitions]
            inputs = self._inputs(windows, columns, times)
            for window, key, time, values in zip(windows, *inputs, strict=True):
                window.apply(key, time, values)
        self._move(times, partitions)

    def commit(self) -> None:
        """The batch is committed on Kafka."""
        for partition, newest in self._moved.items():
            self._watermarks[partition] = max(self._watermarks[partition], newest)
        for partition in self._moved:
            for window in self._partitions[partition].values():
                window.commit(self._watermarks[partition])
        if self._moved:
            slowest = min(self._watermarks.values())
            for window in self._global.values():
                window.commit(slowest)
        self._moved.clear()

    def rollback(self) -> None:
        """The batch was aborted."""
        for partition in self._moved:
            for window in self._partitions[partition].values():
                window.rollback()
        for window in self._global.values():
            window.rollback()
        self._moved.clear()

    def _new(self, group: _Group) -> EntityWindows:
        return EntityWindows(self._event, group.features, self._lateness)

    def _windows(self, index: int, partition: int) -> EntityWindows:
        return (
            self._partitions[partition][index] if self._groups[index].per_partition else self._global[index]
        )

    def _inputs(
        self, windows: list[EntityWindows], columns: Columns, times: list[int]
    ) -> tuple[list[object], list[int], list[tuple[object, ...]]]:
        if not windows:
            return [], [], []
        return list(windows[0].keys(columns)), times, windows[0].values(columns, len(times))

    def _move(self, times: list[int], partitions: Sequence[int]) -> None:
        for partition, time in zip(partitions, times, strict=True):
            if time > self._moved.get(partition, time - 1):
                self._moved[partition] = time


def _groups(pipeline: Pipeline) -> list[_Group]:
    numbered = list(enumerate(pipeline.features.window_features()))
    numbered.sort(key=lambda item: (item[1].entity, item[1].include_current))
    groups = []
    for _, members in groupby(numbered, key=lambda item: (item[1].entity, item[1].include_current)):
        pairs = list(members)
        features = [feature for _, feature in pairs]
        positions = [position for position, _ in pairs]
        groups.append(_Group(features, positions, per_partition=pipeline.follows_key(features[0])))
    return groups
