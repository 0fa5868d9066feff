"""The window engine is loaded, or compiled where this machine never did, before events wait for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import structlog

from feature_store.log import delta_schema, event_schema
from feature_store.store import FeatureStore

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

_log = structlog.get_logger()
_LONG_S = 5.0


def warm_up(pipeline: Pipeline) -> None:
    """Do once, with an event of nothing, what every step does. Compiling takes half a minute."""
    started = time.perf_counter()
    store = FeatureStore(pipeline)
    store.add_partition(0)
    event = _of_nothing(event_schema(pipeline.event), pipeline.event.time)
    delta = _of_nothing(delta_schema(pipeline), "event_time")
    approved = np.ones(1, np.bool_)
    store.learn(delta)
    store.observe(event, [0])
    store.decided(approved)
    store.commit()
    store.apply(event, [0], approved)
    store.rollback()
    store.load(None, store.export(None))  # so is what a take-over needs, and a table that grows
    seconds = time.perf_counter() - started
    if seconds > _LONG_S:
        _log.info("engine_compiled", seconds=round(seconds, 1))


def _of_nothing(schema: pa.Schema, time_field: str) -> pa.RecordBatch:
    """One row of nulls and zeros."""
    given = {"seq", "route_seq", "source_partition", "fraud", "let_through", time_field}
    columns = [
        pa.array([0], pa.int64()).cast(field.type) if field.name in given else pa.nulls(1, field.type)
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)
