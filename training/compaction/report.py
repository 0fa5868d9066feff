"""A model measured before and after compaction, in one run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from streams.models.calibration import scores_of
from streams.models.trees.walk import PackedEngine
from training.compaction.figures import Size
from training.evaluation.ranking import average_precision
from training.fitting.calibration import platt

if TYPE_CHECKING:
    from feature_store.expressions import Matrix
    from streams.models.engine import NativeEngine
    from streams.models.trees.forest import Packed
    from training.dataset.events import LabelledEvents

_ROWS = 4_096
_REPEATS = 7
_LEAST_PROBABILITY = 1e-15


class Loaded:
    """A model as a scorer would hold it."""

    def __init__(self, artifact: bytes, native: NativeEngine, packed: Packed) -> None:
        self.artifact = artifact
        self.native = native
        self.packed = packed
        self.walk = PackedEngine(native.name, packed)


def sizes(models: tuple[Loaded, Loaded], validation: LabelledEvents) -> tuple[Size, Size]:
    """Both models, timed in turns on the same rows."""
    times = _us_per_row(models, np.ascontiguousarray(validation.features[:_ROWS]))
    before, after = (_size(model, us, validation) for model, us in zip(models, times, strict=True))
    return before, after


def _size(model: Loaded, us_per_row: float, validation: LabelledEvents) -> Size:
    margin = model.walk.margins(validation.features)
    fraud, weight = validation.fraud, validation.weight
    score = scores_of(margin, platt(margin, fraud, weight))
    score = np.clip(score, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    losses = -np.where(fraud, np.log(score), np.log1p(-score))
    return Size(
        trees=len(model.packed.forest.roots),
        nodes=len(model.packed.forest.nodes),
        bytes=len(model.artifact),
        us_per_row=us_per_row,
        log_loss=float(np.average(losses, weights=weight)),
        average_precision=average_precision(fraud, margin, weight),
    )


def _us_per_row(models: tuple[Loaded, Loaded], rows: Matrix) -> list[float]:
    best = [float("inf")] * len(models)
    for _ in range(_REPEATS):
        for place, model in enumerate(models):
            started = time.perf_counter()
            model.walk.margins(rows)
            best[place] = min(best[place], (time.perf_counter() - started) / len(rows) * 1e6)
    return [round(each, 3) for each in best]
