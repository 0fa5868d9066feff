"""How far apart two sums of floats may be: 1e-9 of the largest input, which the twin looks up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.declaration.aggregates import Aggregate
from feature_store.declaration.features import FeatureSpec
from feature_store.declaration.windows import WindowSpec
from feature_store.units import format_duration
from training.history.differences import RELATIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from feature_store.declaration.aggregates import WindowFeature
    from feature_store.declaration.pipeline import Pipeline

    Twin = Callable[[Pipeline], dict[str, NDArray[np.float64]]]

_ROUNDED = 1e-12


class Room:
    """The room of any feature at any rows; ``twin`` computes all features of a pipeline for all rows."""

    def __init__(self, pipeline: Pipeline, twin: Twin) -> None:
        self._pipeline = pipeline
        self._twin = twin

    def __call__(self, feature: WindowFeature, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """How far apart two values of ``feature`` may be, for each of ``rows``."""
        over = replace(feature, window=feature.over, over=0) if feature.over else None
        plain = replace(feature, over=0, empty=None)
        found = self._twin(_helpers(self._pipeline, [plain, *([replace(over, empty=None)] if over else [])]))
        within = RELATIVE * _largest(plain, found)[rows]
        if over is None:
            return within
        divisor = found[replace(over, empty=None).name][rows]
        off = RELATIVE * _largest(over, found)[rows]
        ratio = np.abs(found[plain.name][rows] / divisor)
        left = np.abs(divisor) - off
        # Where the divisor may as well be nothing, any quotient may be.
        return np.where(left > 0, (within + ratio * off) / left + _ROUNDED * ratio, np.inf)


def _largest(feature: WindowFeature, found: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    ends = [
        found[replace(feature, aggregate=each, empty=None).name] for each in (Aggregate.MIN, Aggregate.MAX)
    ]
    return np.nan_to_num(np.fmax(np.abs(ends[0]), np.abs(ends[1])))


def _helpers(pipeline: Pipeline, features: list[WindowFeature]) -> Pipeline:
    """A pipeline with the aggregates that say how large the inputs of ``features`` are."""
    first = features[0]
    declared: dict[str, Any] = {
        "entity": first.entity,
        "windows": [format_duration(each.window) for each in features],
        "delay": format_duration(first.delay),
        "include_current": first.include_current,
        "where": {first.condition.name: first.condition.sql} if first.condition else {},
    }
    for aggregate in {"min", "max", first.aggregate.value}:
        declared[aggregate] = first.column
    windows = (WindowSpec.model_validate(declared),)
    spec = FeatureSpec.model_construct(rows={}, categories={}, windows=windows)
    return pipeline.model_copy(update={"features": spec})
