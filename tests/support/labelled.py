"""Labelled events from plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.dataset.coded import Coded
from training.dataset.events import LabelledEvents

if TYPE_CHECKING:
    from numpy.typing import NDArray


def labelled(
    fraud: NDArray[np.bool_],
    features: NDArray[np.float64],
    time: NDArray[np.int64] | None = None,
    **columns: Any,
) -> LabelledEvents:
    """Let-through events of an entity each, without a model, unless ``columns`` say otherwise."""
    rows = len(fraud)
    plain: dict[str, Any] = {
        "time": np.arange(rows, dtype=np.int64) if time is None else time,
        "weight": np.ones(rows),
        "fit_weight": columns.get("weight", np.ones(rows)),
        "propensity": np.ones(rows),
        "margin": np.full(rows, np.nan),
        "amount": np.full(rows, np.nan),
        "draw": np.random.default_rng(rows).random(rows, np.float32),
        "entity": np.arange(rows, dtype=np.int64),
        "model": Coded.of([None] * rows),
        "policy_action": Coded.of(["approve"] * rows),
    }
    return LabelledEvents(fraud=fraud, features=features, **(plain | columns))
