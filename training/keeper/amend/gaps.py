"""Where the feature log had lost its beginning: a window that reaches back there is not whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from training.keeper.queries import sql

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection


class Gaps:
    """The cut-off beginnings, by partition."""

    def __init__(self, pipeline: Pipeline, store: Connection) -> None:
        tolerance = pipeline.event.future_tolerance
        self._until: dict[int, float] = {
            partition: math.inf if until is None else until + tolerance
            for partition, until in store.execute(sql("gaps")).fetchall()
        }
        windows = pipeline.features.window_features()
        self._own = max((f.reach for f in windows if pipeline.follows_key(f)), default=0)
        self._every = max((f.reach for f in pipeline.global_features), default=0)

    def reached_by(self, time: int, partition: int) -> bool:
        """Whether a window of an event at ``time`` (us) may hold what is missing."""
        reached = {gap: self._every for gap in self._until if self._every}
        if partition in self._until:
            reached[partition] = max(self._own, self._every)
        return any(time - reach < self._until[gap] for gap, reach in reached.items())
