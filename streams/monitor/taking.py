"""From rows of the feature log to rows of the sample, for the few that are kept."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from feature_store.log import feature_matrix
from streams.monitor.outcomes import event_key
from streams.monitor.sample import Recent, Taken, draws_of

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.monitor.arrays import Ints
    from streams.monitor.log_rows import LogRows


class Sampling:
    """Keeps the newest decisions of one pipeline, ``monitoring.drift.window`` long."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._features = [feature.name for feature in pipeline.feature_vector]
        self._key = pipeline.whole.event.key
        self.recent = Recent(pipeline.monitoring.drift.window, len(self._features))

    def add(self, partition: int, rows: LogRows, models: Ints) -> None:
        """Count decisions of a source partition; ``models`` are the numbers of those that decided."""
        take = partial(self._taken, rows, models)
        self.recent.add(rows.arrivals, draws_of(partition, rows.offsets), take)

    def _taken(self, rows: LogRows, models: Ints, places: Ints) -> Taken:
        batch = rows.batch.select([*self._features, self._key]).take(places)
        features = feature_matrix(batch, self._features)
        features[np.isinf(features)] = np.nan  # as models are fitted on them
        keys = batch.column(self._key).to_pylist()
        entities = np.fromiter((event_key(str(key)) for key in keys), np.uint64, len(keys))
        return Taken(entities, models[places], rows.scores[places], features)
