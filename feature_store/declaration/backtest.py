"""The backtest: what is tested on besides the stretches that training declares."""

from __future__ import annotations

from pydantic import Field

from feature_store.declaration.base import Declared


class BacktestSpec(Declared):
    """How past events are tested on."""

    drop_known_entities: bool = Field(
        default=False,
        description="leave out events of a partition key that was known to be defrauded when the day began",
    )
