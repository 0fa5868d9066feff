"""Compile the kernels ahead of time: `python -m feature_store.engine.warm`. Later processes load them."""

from __future__ import annotations

import sys
import time

import numpy as np
import pyarrow as pa

from feature_store.declaration.pipeline import Pipeline
from feature_store.log import delta_schema, event_schema
from feature_store.repeated_keys import RepeatedKeys
from feature_store.store import FeatureStore

_PIPELINE = {
    "pipeline": "warm",
    "event": {
        "id": "id",
        "time": "at",
        "key": "key",
        "fields": {"id": "string", "at": "timestamp", "key": "string"},
    },
    "features": {
        "windows": [
            {"entity": "key", "windows": ["1h"], "count": True},
            {"entity": "key", "windows": ["1h"], "fraud_rate": True},
        ]
    },
    "outcomes": {"sources": {"bank": "1d"}},
    "decision": {"costs": {"missed_fraud": 1, "review": 1, "false_decline": 1}},
}


def warm() -> float:
    """Call every kernel once, as steps, a table that grows and a take-over do; they serve any declaration.

    One that was never compiled on this machine is, which takes half a minute. Returns the seconds it took.
    """
    started = time.monotonic()
    pipeline = Pipeline.model_validate(_PIPELINE)
    store = FeatureStore(pipeline)
    store.add_partition(0)
    events = pa.record_batch(
        [pa.array(["1"]), pa.array([1], pa.timestamp("us")), pa.array(["a"])],
        schema=event_schema(pipeline.event),
    )
    delta = {
        "seq": 1, "route_seq": 1, "source_partition": 0, "event_id": "1", "event_time": 1, "fraud": 1,
        "let_through": True, "entity_key": "a",
    }  # fmt: skip
    schema = delta_schema(pipeline)
    for final in (store.rollback, store.commit):
        store.learn(pa.RecordBatch.from_pylist([delta], schema=schema))
        store.observe(events, [0])
        store.decided(np.ones(1, np.bool_))
        final()
    other = FeatureStore(pipeline)
    other.add_partition(0)
    other.load(0, store.export(0))
    RepeatedKeys().may_repeat([b"{}"])
    return time.monotonic() - started


if __name__ == "__main__":
    sys.stdout.write(f"the window engine is compiled ({warm():.0f} s)\n")
