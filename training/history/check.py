"""Whether both engines say the same about events: of a file, or of what was logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store.offline import offline_features as twin_features
from streams.sources.past_events import read_past_events
from training.history.compute import online_features
from training.history.differences import Compared, compare, is_folded
from training.history.offline import DELTAS, EVENTS, as_relations
from training.history.order import in_order
from training.history.room import Room

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from training.history.progress import OnProgress

    Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Checked:
    """Every feature, and how many events there were; ``late`` of them were left out."""

    rows: int
    late: int
    features: tuple[Compared, ...]

    @property
    def differences(self) -> int:
        """Over all features."""
        return sum(each.differences for each in self.features)

    @property
    def compared(self) -> int:
        """How many values were compared, over all features; where it is 0, nothing is known."""
        return sum(each.rows for each in self.features)


def check_file(pipeline: Pipeline, file: Path, on_progress: OnProgress) -> Checked:
    """What the scorer's engine says about the events of ``file``, held to the twin, feature by feature.

    Raises ConfigError where ``file`` does not fit the pipeline.
    """
    on_progress("reading", 0, 0)
    order = in_order(pipeline, read_past_events(pipeline, file))
    batches = []
    for batch in online_features(pipeline, order):
        batches.append(batch)
        on_progress("online", sum(each.num_rows for each in batches), order.past.rows)
    found = _columns(pipeline, pa.Table.from_batches(batches) if batches else None)
    every = np.arange(order.past.rows)
    with as_relations(order) as connection:
        told = against_twin(
            pipeline, connection, order.past.ids, found, dict.fromkeys(found, every), on_progress
        )
    return Checked(order.past.rows, 0, tuple(told))


def against_twin(
    pipeline: Pipeline,
    connection: Connection,
    ids: Any,
    found: Columns,
    rows: dict[str, NDArray[np.int64]],
    on_progress: OnProgress,
) -> list[Compared]:
    """Hold ``found`` to what the twin computes of the relations ``events`` and ``deltas``.

    ``found`` and ``ids`` are in the order of partition and applied order; ``rows`` says of every feature
    where it is compared.
    """

    def twin(of: Pipeline) -> Columns:
        return _columns(of, twin_features(connection, of, events=EVENTS, deltas=DELTAS))

    computed = twin(pipeline)
    room = Room(pipeline, twin)
    windows = {feature.name: feature for feature in pipeline.features.window_features()}
    told = []
    for feature in pipeline.feature_vector:
        name = feature.name
        window = windows.get(name)
        folded = window if window is not None and is_folded(pipeline, window) else None
        told.append(compare(folded, name, feature.hash, ids, found[name], computed[name], rows[name], room))
        on_progress("comparing", len(told), len(pipeline.feature_vector))
    return told


def _columns(pipeline: Pipeline, table: pa.Table | None) -> Columns:
    names = [feature.name for feature in pipeline.feature_vector]
    if table is None:
        return {name: np.empty(0) for name in names}
    return {name: table[name].to_numpy() for name in names}
