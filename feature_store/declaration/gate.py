"""The gate: what a challenger must show before it acts."""

from __future__ import annotations

from pydantic import Field

from feature_store.declaration.base import Declared


class GateSpec(Declared):
    """What a challenger must show before it acts."""

    average_precision_tolerance: float = Field(
        default=0.01, ge=0, description="it may be this much below the champion's"
    )
    min_frauds: int = Field(default=20, gt=0, description="fewer in the judged days: refused")
