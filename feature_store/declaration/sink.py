"""Who writes the feature log and the decisions down for the keeper's store."""

from __future__ import annotations

from pydantic import Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration


class SinkSpec(Declared):
    """Sink workers, where more is decided than the keeper alone can store."""

    workers: int = Field(
        default=0,
        ge=0,
        le=64,
        description="sink processes that `up` starts; from 1 on feature log and decisions reach the store "
        "through their Parquet files alone. 0: the keeper reads these topics itself",
    )
    folder: str = Field(
        default="", description="that keeper and workers all reach; empty: `sink` in the state folder"
    )
    every: Duration = Field(
        default=1_000_000, gt=0, description="how soon a worker writes down what has come, in real time"
    )
