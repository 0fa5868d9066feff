"""What one would write first: a deque and running totals per entity and window, in plain Python."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from typing import TYPE_CHECKING

import numpy as np

from feature_store.columns import columns_from_log
from feature_store.declaration.aggregates import Aggregate, WindowFeature

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix

_SECOND = 1e6


class _Entity:
    """The windows of one entity: what is inside, and its count and sum."""

    def __init__(self, lengths: list[int]) -> None:
        self.windows: list[deque[tuple[int, int]]] = [deque() for _ in lengths]
        self.sums = [0 for _ in lengths]
        self.newest: deque[tuple[int, int]] = deque(maxlen=4)


class DequeFeatures:
    """Counts, sums, means, newest values and the time since; events must come in order of time."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._features: dict[tuple[str, ...], list[tuple[int, WindowFeature]]] = defaultdict(list)
        for at, feature in enumerate(pipeline.features.window_features()):
            self._features[feature.entity].append((at, feature))

    def observe(self, events: pa.RecordBatch) -> Matrix:
        """Every feature of every event."""
        columns = columns_from_log(self._pipeline.event, events)
        out: Matrix = np.empty((events.num_rows, len(self._pipeline.feature_vector)))
        for entity, features in self._features.items():
            keys = list(zip(*(columns[name] for name in entity), strict=True))
            self._observe(keys, columns["at"], columns["amount"], features, out)
        return out

    def _observe(
        self,
        keys: list[tuple[str, ...]],
        times: list[int],
        amounts: list[int],
        features: list[tuple[int, WindowFeature]],
        out: Matrix,
    ) -> None:
        lengths = sorted({feature.window for _, feature in features})
        number = {length: at for at, length in enumerate(lengths)}
        entities: dict[tuple[str, ...], _Entity] = defaultdict(lambda: _Entity(lengths))
        for row, (key, time, amount) in enumerate(zip(keys, times, amounts, strict=True)):
            entity = entities[key]
            for at, length in enumerate(lengths):
                window = entity.windows[at]
                while window and window[0][0] <= time - length:
                    entity.sums[at] -= window.popleft()[1]
            for at, feature in features:
                out[row, at] = _value(entity, feature, number[feature.window], time)
            for at in range(len(lengths)):
                entity.windows[at].append((time, amount))
                entity.sums[at] += amount
            entity.newest.append((time, amount))


def _value(entity: _Entity, feature: WindowFeature, number: int, time: int) -> float:
    inside = len(entity.windows[number])
    match feature.aggregate:
        case Aggregate.COUNT:
            return inside
        case Aggregate.SUM:
            return entity.sums[number] / 100
        case Aggregate.MEAN:
            return entity.sums[number] / (inside * 100) if inside else math.nan
        case Aggregate.LAST if inside >= feature.position:
            return entity.newest[-feature.position][1] / 100
        case Aggregate.SINCE_LAST if inside:
            return (time - entity.newest[-1][0]) / _SECOND
        case _:
            return math.nan
