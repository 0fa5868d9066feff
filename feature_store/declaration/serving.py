"""Serving: how the scorer runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration


class BatchSpec(Declared):
    """One micro-batch: whatever is there, up to this many events."""

    max_events: int = Field(default=1_000, gt=0, le=100_000, description="more wait for the next batch")


class ServingSpec(Declared):
    """Delivery and the size of a step."""

    delivery: Literal["exactly_once"] = Field(default="exactly_once", description="the only one so far")
    device: Literal["cpu"] = Field(default="cpu", description="the only one so far")
    batch: BatchSpec = BatchSpec()
    session_timeout: Duration = Field(
        default=10_000_000, description="a scorer silent for this long loses its partitions"
    )
    commit_patience: Duration = Field(
        default=60_000_000, description="a commit unknown for longer ends the process to recover"
    )
