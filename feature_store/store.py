"""The online feature store: a micro-batch in, a float matrix out, in applied order.

State is kept per source partition for entities that the partition key determines, and once over all
partitions for the others. Nothing is final before ``commit``: ``rollback`` gives back exactly what was
there before.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.columns import columns_from_log
from feature_store.expressions import Expression, RowQuery
from feature_store.log import event_schema
from feature_store.windows import EntityWindows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from feature_store.columns import Columns
    from feature_store.declaration.aggregates import WindowFeature
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix

NEVER = -(2**62)
_LARGEST = float(np.finfo(np.float32).max)


class _Group:
    """Where the features of one EntityWindows stand in the matrix."""

    def __init__(self, features: list[WindowFeature], positions: list[int], *, per_partition: bool) -> None:
        self.features = features
        self.positions = positions
        self.per_partition = per_partition


class FeatureStore:
    """Features of one scorer."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Compile the expressions. Raises ConfigError naming the key of an unsound one."""
        self._event = pipeline.event
        self._lateness = pipeline.features.lateness
        self._width = len(pipeline.features.window_features())
        self._rows = RowQuery(
            event_schema(pipeline.event),
            [Expression(n, sql, f"features.rows.{n}") for n, sql in pipeline.features.rows.items()],
        )
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
        self._watermarks[partition] = NEVER

    def drop_partition(self, partition: int) -> None:
        """Forget a partition; state over all partitions is no longer whole and is forgotten with it."""
        self._partitions.pop(partition, None)
        self._watermarks.pop(partition, None)
        self._global = {i: self._new(self._groups[i]) for i in self._global}

    def newest(self, partition: int) -> int:
        """The newest event time (us) on a partition, what is pending included."""
        return max(self._watermarks[partition], self._moved.get(partition, NEVER))

    def observe(self, events: pa.RecordBatch, partitions: Sequence[int]) -> Matrix:
        """Every feature of every event (rows, features), each seeing what was applied before it."""
        columns = columns_from_log(self._event, events)
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
        matrix = np.hstack([self._rows.numbers(events), matrix])
        matrix[np.abs(matrix) > _LARGEST] = np.nan  # what a float32 cannot hold, the engines take differently
        return matrix

    def decided(self, let_through: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        """Tell which of the events of the last ``observe`` were let through."""

    def apply(
        self,
        events: pa.RecordBatch,
        partitions: Sequence[int],
        let_through: np.ndarray[Any, np.dtype[np.bool_]] | None = None,
        only: set[str] | None = None,
    ) -> None:
        """Add events that were scored before, in applied order: recovery from the feature log."""
        del let_through, only
        columns = columns_from_log(self._event, events)
        times = columns[self._event.time]
        for index in range(len(self._groups)):
            windows = [self._windows(index, partition) for partition in partitions]
            inputs = self._inputs(windows, columns, times)
            for window, key, time, values in zip(windows, *inputs, strict=True):
                window.apply(key, time, values)
        self._move(times, partitions)

    def learn(self, deltas: pa.RecordBatch, only: set[str] | None = None) -> None:
        """Apply outcome deltas."""

    def layouts(self, partition: int | None) -> dict[str, str]:
        """Group -> the hash of what its state looks like."""
        del partition
        return {}

    def export(self, partition: int | None) -> dict[str, np.ndarray[Any, Any]]:
        """Committed state."""
        raise NotImplementedError

    def load(self, partition: int | None, state: dict[str, np.ndarray[Any, Any]]) -> set[str]:
        """The inverse of ``export``."""
        raise NotImplementedError

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
