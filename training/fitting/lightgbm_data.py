"""LightGBM's own form of events: binned from memory at once, or from a memory map step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.memory_map import let_go
from streams.models.libraries import lightgbm as lgb
from training.dataset.reading import STEP
from training.fitting.bins import MOST_LEGITIMATE, rows_for_bins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.dataset.events import LabelledEvents
    from training.fitting.algorithms import Plan


def lightgbm_data(
    events: LabelledEvents, plan: Plan, settings: dict[str, Any]
) -> tuple[lgb.Dataset, dict[str, float]]:
    """The events to fit on, and metrics of how they were binned, where it was not by all of them."""
    named: dict[str, Any] = {
        "feature_name": plan.names,
        "categorical_feature": list(plan.categorical),
        "params": settings,
    }
    if len(events) <= MOST_LEGITIMATE and not events.on_disk:
        return lgb.Dataset(events.features, events.fraud, weight=events.weight, **named), {}
    rows = rows_for_bins(events, plan.seed)
    by_rows = {**named, "params": {**settings, "bin_construct_sample_cnt": len(rows)}}
    bins = lgb.Dataset(rows, np.zeros(len(rows)), **by_rows).construct()
    most = max(bins.feature_num_bin(position) for position in range(len(plan.names)))
    metrics = {"bins_by_rows": float(len(rows)), "bins_most": float(most)}
    if events.on_disk:
        metrics["rows_on_disk"] = float(len(events))
    data = _Rows(events.features) if events.on_disk else events.features
    return lgb.Dataset(data, events.fraud, weight=events.weight, reference=bins, **named), metrics


def lightgbm_judge(events: LabelledEvents, train: lgb.Dataset) -> lgb.Dataset:
    """The events that tell when to stop."""
    data = _Rows(events.features) if events.on_disk else events.features
    return train.create_valid(data, events.fraud, weight=events.weight)


class _Rows(lgb.Sequence):
    """Reads stretches of a memory map."""

    batch_size = STEP

    def __init__(self, features: NDArray[np.float64]) -> None:
        self._features = features

    def __len__(self) -> int:
        return len(self._features)

    def __getitem__(self, index: int | slice | list[int]) -> NDArray[np.float64]:
        rows = np.array(self._features[index], np.float64)
        let_go(self._features)
        return rows
