"""XGBoost's own form of events: a matrix in memory, or pages of bins in files.

XGBoost keeps values in single precision, here and when it scores, so that pages blur nothing more.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.models.cuda import on_device
from streams.models.libraries import xgboost as xgb
from training.fitting.algorithms import threads
from training.fitting.bins import rows_for_bins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from training.dataset.events import LabelledEvents
    from training.fitting.algorithms import Plan

_PAGE = 500_000  # rows


@contextmanager
def room_for_pages(events: LabelledEvents) -> Iterator[Path | None]:
    """A folder for the pages of events that are on disk; matrices made in it must be gone before its end."""
    if events.room is None:
        yield None
        return
    with tempfile.TemporaryDirectory(dir=events.room, prefix="pages-") as folder:
        yield Path(folder)


def xgboost_data(
    fit: LabelledEvents, validation: LabelledEvents | None, plan: Plan, max_bin: int, room: Path | None
) -> tuple[xgb.DMatrix, xgb.DMatrix | None, dict[str, float]]:
    """What to fit on, what tells when to stop, and metrics of how they were binned."""
    if room is None:
        return _matrix(fit, plan), _matrix(validation, plan) if validation is not None else None, {}
    rows = rows_for_bins(fit, plan.seed)
    bins = xgb.QuantileDMatrix(rows, max_bin=max_bin, **_features(plan))
    train = _paged(fit, plan, max_bin, bins, room / "fit")
    judge = None
    if validation is not None:
        judge = _paged(validation, plan, max_bin, train, room / "validation")
    starts, _ = bins.get_quantile_cut()
    metrics = {
        "rows_on_disk": float(len(fit)),
        "bins_by_rows": float(len(rows)),
        "bins_most": float(np.diff(starts).max()),
    }
    return train, judge, metrics


def _features(plan: Plan) -> dict[str, Any]:
    kinds = ["c" if name in plan.categorical else "q" for name in plan.names]
    return {
        "feature_names": plan.names,
        "feature_types": kinds if plan.categorical else None,
        "enable_categorical": bool(plan.categorical),
    }


def _matrix(events: LabelledEvents, plan: Plan) -> xgb.DMatrix:
    return xgb.DMatrix(
        events.features, events.fraud, weight=events.weight, nthread=threads(len(events)), **_features(plan)
    )


def _paged(
    events: LabelledEvents, plan: Plan, max_bin: int, bins: xgb.DMatrix, prefix: Path
) -> xgb.ExtMemQuantileDMatrix:
    return xgb.ExtMemQuantileDMatrix(
        _Pages(events, plan, prefix),
        max_bin=max_bin,
        ref=bins,
        nthread=threads(len(events)),
        enable_categorical=bool(plan.categorical),
    )


def _single(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return rows.astype(np.float32)


class _Pages(xgb.DataIter):
    """Reads a memory map page by page."""

    def __init__(self, events: LabelledEvents, plan: Plan, prefix: Path) -> None:
        super().__init__(cache_prefix=str(prefix), on_host=False)
        self._events = events
        self._to_device = on_device if plan.device == "cuda" else _single
        self._named = {name: _features(plan)[name] for name in ("feature_names", "feature_types")}
        self._next = 0

    def reset(self) -> None:
        """Begin again."""
        self._next = 0

    def next(self, input_data: Callable[..., None]) -> bool:
        """Hand over the next page; False after the last."""
        if self._next >= len(self._events):
            return False
        page = slice(self._next, self._next + _PAGE)
        self._next += _PAGE
        part = self._events.where(page)
        input_data(data=self._to_device(part.features), label=part.fraud, weight=part.weight, **self._named)
        return True
