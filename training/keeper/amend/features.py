"""The features of late events on whole windows, by the twin, beside those that were logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_store import duck
from feature_store.offline import offline_features
from training.history.differences import differing, is_folded
from training.history.room import Room
from training.keeper.amend.history import LateHistory
from training.keeper.queries import sql

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from feature_store.expressions import Flags, Matrix

    Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Whole:
    """One row per late event, one column per declared feature.

    ``matrix``: what the feature is where windows are whole; what was logged where both say the same.
    ``differs``: where they do not, though computed under the same definition.
    """

    matrix: Matrix
    differs: Flags


class WholeWindows:
    """Computes what features would have been, had nothing been forgotten."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._vector = pipeline.feature_vector
        self._windows = {feature.name: feature for feature in pipeline.features.window_features()}
        self._history = LateHistory(pipeline)

    def of(self, store: Connection, late: pa.Table) -> Whole:
        """``late``: rows of ``scored`` and ``asked.definitions``; all that was applied before is stored."""
        connection = duck.memory(threads=1)
        try:
            connection.register("events", self._history.events(store, late))
            connection.register("deltas", self._history.deltas(store, late))
            place = late.select(["source_partition", "seq"]).append_column("at", [list(range(late.num_rows))])
            connection.register("place", place)
            return self._compared(connection, late, self._known(store, late))
        finally:
            connection.close()

    def _compared(self, connection: Connection, late: pa.Table, known: Flags) -> Whole:
        def twin(of: Pipeline) -> Columns:
            return _at_places(connection, of)

        computed, room = twin(self._pipeline), Room(self._pipeline, twin)
        shape = late.num_rows, len(self._vector)
        matrix, differs = np.empty(shape), np.zeros(shape, np.bool_)
        for column, feature in enumerate(self._vector):
            window = self._windows.get(feature.name)
            folded = window if window is not None and is_folded(self._pipeline, window) else None
            whole = computed[feature.name]
            logged = late[feature.name].to_numpy()
            rows = np.flatnonzero(known[:, column])
            differs[rows, column] = differing(folded, logged[rows], whole[rows], rows, room)
            same = known[:, column] & ~differs[:, column]
            matrix[:, column] = np.where(same, logged, whole)
        return Whole(matrix, differs)

    def _known(self, store: Connection, late: pa.Table) -> Flags:
        """Where a feature was logged under the definition that is declared now."""
        digests = late["asked.definitions"].to_pylist()
        hashes = {
            digest: dict(store.execute(sql("hashes"), {"digest": digest}).fetchall())
            for digest in set(digests)
        }
        return np.array(
            [[hashes[digest].get(f.name) == f.hash for f in self._vector] for digest in digests], np.bool_
        ).reshape(len(digests), len(self._vector))


def _at_places(connection: Connection, pipeline: Pipeline) -> Columns:
    """Every feature of the late events, in their order."""
    connection.register("computed", offline_features(connection, pipeline))
    found = connection.sql(
        "SELECT computed.* FROM place JOIN computed USING (source_partition, seq) ORDER BY place.at"
    ).to_arrow_table()
    connection.unregister("computed")
    return {feature.name: found[feature.name].to_numpy() for feature in pipeline.feature_vector}
