"""Writing a folder of history: past events as the keeper imports them, and the state that they leave.

1. Every event is applied, with the outcomes that were known before it, by the engine that a scorer runs.
2. Its row of the feature log is written; outcomes and deltas follow.
3. ``history.json`` comes last: a folder without it is no history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.columns import number_arrays
from feature_store.store import FeatureStore
from training.history.online import online_features
from training.history.order import in_order
from training.history.outcomes import outcome_table
from training.history.rows import LogRows
from training.history.state import snapshots_of
from training.keeper.history import DELTAS, OUTCOMES, SCORED, History, write_history

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.snapshots import Snapshot
    from streams.sources.past_events import PastEvents
    from training.history.progress import OnProgress


@dataclass(frozen=True)
class Written:
    """What a folder holds, and the state after its last event, of every stage.

    ``frauds`` are the outcomes of it, ``known`` those of them that features count already.
    """

    history: History
    snapshots: list[Snapshot]
    frauds: int
    known: int


def write_folder(pipeline: Pipeline, past: PastEvents, folder: Path, on_progress: OnProgress) -> Written:
    """Write the whole history of ``past``, which holds at least one event, to the empty ``folder``."""
    order = in_order(pipeline, past, pipeline.topics.partitions)
    views = pipeline.views
    *earlier, store = stores = [_empty(view) for view in views]
    rows = LogRows(pipeline.deciding, order)
    with pq.ParquetWriter(folder / SCORED, rows.schema, compression="zstd") as writer:
        for first, end, matrix in online_features(order, store, earlier):  # 1
            writer.write_batch(rows.batch(first, end, matrix))  # 2
            on_progress("computing", end, past.rows)
    outcomes = outcome_table(pipeline, past)
    pq.write_table(outcomes, folder / OUTCOMES, compression="zstd")
    pq.write_table(order.deltas, folder / DELTAS, compression="zstd")
    history = _history(pipeline, past, None)
    write_history(folder, history)  # 3
    found = zip(views, stores, strict=True)
    snapshots = [snapshot for view, each in found for snapshot in snapshots_of(view, order, each)]
    return Written(history, snapshots, outcomes.num_rows, order.deltas.num_rows)


def write_new_features(
    pipeline: Pipeline, past: PastEvents, names: list[str], folder: Path, on_progress: OnProgress
) -> History:
    """Write only the features ``names`` of the events ``past``, which are history already."""
    order = in_order(pipeline, past)
    store = FeatureStore(pipeline)
    store.add_partition(0)
    vector = [feature.name for feature in pipeline.feature_vector]
    columns = [vector.index(name) for name in names]
    kinds: dict[str, pa.DataType] = {"event_id": pa.string()}
    schema = pa.schema(kinds | dict.fromkeys(names, pa.float64()))
    with pq.ParquetWriter(folder / SCORED, schema, compression="zstd") as writer:
        for first, end, matrix in online_features(order, store):
            ids = past.ids.slice(first, end - first)
            values = number_arrays(matrix[:, columns])
            writer.write_batch(pa.RecordBatch.from_arrays([ids, *values], schema=schema))
            on_progress("computing", end, past.rows)
    history = _history(pipeline, past, names)
    write_history(folder, history)
    return history


def _empty(pipeline: Pipeline) -> FeatureStore:
    store = FeatureStore(pipeline)
    for partition in range(pipeline.topics.partitions):
        store.add_partition(partition)
    return store


def _history(pipeline: Pipeline, past: PastEvents, only_new: list[str] | None) -> History:
    wanted = None if only_new is None else set(only_new)
    times = past.times
    return History(
        pipeline=pipeline.name,
        features={f.name: f.hash for f in pipeline.feature_vector if wanted is None or f.name in wanted},
        first_event_time=int(times[0]),
        last_event_time=int(times[-1]),
        rows=past.rows,
        only_new=only_new,
    )
