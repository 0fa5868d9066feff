"""What a model costs to serve: counted, so that the verdict is the same on every machine; and measured.

Steps down the trees are what the packed walk takes, for most events; see docs/discussions/scoring-models.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from training.contract import Check

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from feature_store.declaration.gate import CostChecks
    from streams.models.champion import Champion

NAME = "too_costly"
_STEPS = 2
"""The column of ``Forest.roots`` that counts the steps which take most rows to their leaves."""
_TIMES = 5
_BATCHES = (1, 1_000)


def affordable(cost: dict[str, float], spec: CostChecks) -> list[Check]:
    """Whether a model of this ``cost_of`` may be served."""
    steps, size, us = cost.get("steps"), cost["bytes"], cost["us_per_event_1000"]
    checks = []
    if spec.steps is not None and steps is not None:
        said = (
            f"{steps:,.0f} steps down its trees for one event, training.gate.cost.steps allows {spec.steps:,}"
        )
        checks.append(Check(NAME, steps <= spec.steps, said))
    if spec.bytes is not None:
        said = f"{size:,.0f} bytes, training.gate.cost.bytes allows {spec.bytes:,}"
        checks.append(Check(NAME, size <= spec.bytes, said))
    if spec.us_per_event is not None:
        said = f"{us:.1f} us per event, training.gate.cost.us_per_event allows {spec.us_per_event:g}"
        checks.append(Check(NAME, us <= spec.us_per_event, said))
    return checks


def cost_of(model: Champion, artifact: bytes, features: NDArray[np.float64]) -> dict[str, float]:
    """``bytes``, ``steps`` (where it is packed), ``us_per_event_1`` and ``us_per_event_1000``.

    The first of ``features``, rows of the declared vector, are measured with.
    """
    found = {"bytes": float(len(artifact))}
    if model.packed is not None:
        found["steps"] = float(model.packed.packed.forest.roots[:, _STEPS].sum())
    for rows in _BATCHES:
        found[f"us_per_event_{rows}"] = round(_us_per_event(model, features[:rows]), 3)
    return found


def _us_per_event(model: Champion, rows: NDArray[np.float64]) -> float:
    """The best of some calls: what else the machine does makes them slower, never faster."""
    best = float("inf")
    for _ in range(_TIMES):
        started = time.perf_counter()
        model.margins(rows)
        best = min(best, time.perf_counter() - started)
    return best / max(len(rows), 1) * 1e6
