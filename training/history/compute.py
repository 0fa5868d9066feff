"""Every feature of every past event, by either engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.columns import number_arrays
from feature_store.errors import ConfigError
from feature_store.log import event_schema
from feature_store.store import FeatureStore
from streams.sources.past_events import read_past_events
from training.history.offline import offline_table
from training.history.online import BATCH
from training.history.online import online_features as apply_online
from training.history.order import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.history.order import Order
    from training.history.progress import OnProgress

Engine = Literal["online", "offline"]


def compute_file(pipeline: Pipeline, file: Path, engine: Engine, out: Path, on_progress: OnProgress) -> int:
    """Write the id and every feature of every event of ``file`` to ``out``; returns how many there are.

    ``out`` is there whole or not at all. Raises ConfigError where ``file`` does not fit the pipeline, or
    ``out`` cannot be written or is ``file``.
    """
    if out.exists() and file.exists() and out.samefile(file):
        raise ConfigError(f"{out}: is the file of past events itself; name another for the features")
    on_progress("reading", 0, 0)
    order = in_order(pipeline, read_past_events(pipeline, file))
    features = online_features if engine == "online" else offline_features
    batches = features(pipeline, order)
    scratch = out.with_name(f"{out.name}.unfinished")
    try:
        _write(batches, feature_schema(pipeline), scratch, order.past.rows, on_progress)
        scratch.replace(out)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        scratch.unlink(missing_ok=True)
    return order.past.rows


def _write(
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    path: Path,
    total: int,
    on_progress: OnProgress,
) -> None:
    done = 0
    on_progress("computing", 0, 0)  # the first batch of the twin is also its last: until then nobody knows
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            done += batch.num_rows
            on_progress("computing", done, total)


def feature_schema(pipeline: Pipeline) -> pa.Schema:
    """The event id as declared, and every feature of the vector as float64, null where undefined."""
    names = [feature.name for feature in pipeline.feature_vector]
    event_id = event_schema(pipeline.event).field(pipeline.event.id)
    return pa.schema([event_id, *(pa.field(name, pa.float64()) for name in names)])


def online_features(pipeline: Pipeline, order: Order) -> Iterator[pa.RecordBatch]:
    """Batches of ``feature_schema``, in applied order, by the engine that a scorer runs."""
    store = FeatureStore(pipeline)
    for partition in np.unique(order.partitions).tolist():
        store.add_partition(partition)
    schema = feature_schema(pipeline)
    ids = order.past.events[pipeline.event.id].combine_chunks()
    for first, end, matrix in apply_online(order, store):
        yield _batch(schema, ids.slice(first, end - first), matrix)


def offline_features(pipeline: Pipeline, order: Order) -> Iterator[pa.RecordBatch]:
    """The same by the offline twin."""
    table = offline_table(pipeline, order).cast(feature_schema(pipeline))
    yield from table.to_batches(max_chunksize=BATCH)


def _batch(schema: pa.Schema, ids: pa.Array[Any], matrix: np.ndarray[Any, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([ids, *number_arrays(matrix)], schema=schema)
