"""Triggers: what starts a training beside the cron line."""

from __future__ import annotations

from pydantic import Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration


class TriggerSpec(Declared):
    """Reasons to train before the next scheduled run."""

    new_frauds: int | None = Field(
        default=None, gt=0, description="so many frauds became known since the last run"
    )
    drift: bool = Field(default=False, description="a `drift` alert on the alerts topic")
    not_within: Duration = Field(
        default=21_600_000_000, ge=0, description="of the last run, whatever happens"
    )
