"""What compaction did, in figures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from streams.models.trees.walk import PackedEngine
from training.evaluation.ranking import average_precision
from training.fitting.calibration import calibrated, platt

if TYPE_CHECKING:
    from feature_store.expressions import Matrix
    from streams.models.engine import NativeEngine
    from streams.models.trees.forest import Packed
    from training.dataset.events import LabelledEvents

_ROWS = 4_096
_REPEATS = 7
_LEAST_PROBABILITY = 1e-15


class Size(msgspec.Struct, frozen=True):
    """How large a model is, how fast the packed walk is and how well it does on the validation slice.

    ``log_loss`` is after Platt scaling of its own; ``us_per_row`` is one core's, in microseconds.
    """

    trees: int
    nodes: int
    bytes: int
    us_per_row: float
    log_loss: float
    average_precision: float


class CompactionReport(msgspec.Struct, frozen=True):
    """Before and after, both measured in one run.

    ``bound`` is what merging and rounding can move any margin by, proven, and ``moved`` the furthest that
    they moved one of the validation slice, in log-odds; ``dropped`` counts trees, which are in neither.
    ``skipped`` says why the model was left as it is.
    """

    before: Size | None = None
    after: Size | None = None
    dropped: int = 0
    bound: float = 0.0
    moved: float = 0.0
    skipped: str = ""

    def as_metrics(self) -> dict[str, float]:
        """As a manifest holds it; empty where nothing was measured."""
        if self.before is None or self.after is None:
            return {}
        names = Size.__struct_fields__
        found = {f"compaction_{name}_before": float(getattr(self.before, name)) for name in names}
        found |= {f"compaction_{name}_after": float(getattr(self.after, name)) for name in names}
        return found | {
            "compaction_dropped_trees": float(self.dropped),
            "compaction_bound": self.bound,
            "compaction_moved": self.moved,
        }


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
    score = calibrated(margin, platt(margin, fraud, weight))
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
