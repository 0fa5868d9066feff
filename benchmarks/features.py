"""The window engine: events per second and core, beside plain Python deques and the DuckDB twin.

Every figure is of one run and one core, with all that the store does for an event: digests, windows, commit.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.deques import DequeFeatures
from benchmarks.features_declared import LENGTHS, declared, of_one_length
from feature_store.columns import to_arrow
from feature_store.duck import memory
from feature_store.log import event_schema
from feature_store.offline import offline_features
from feature_store.store import FeatureStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.engine.layout import Ints
    from feature_store.expressions import Matrix

BATCH = 512
DAYS, DAY_US = 60, 86_400_000_000
START = 1_700_000_000_000_000


def main() -> None:
    """Print the three tables."""
    print(f"two entities, windows of {LENGTHS[0]} to {LENGTHS[-1]}, batches of {BATCH}")
    print(f"{DAYS} days of events; the second half is timed, when the windows are full")
    print(
        f"{'features':>9}{'entities':>11}{'events':>11}{'events/s':>10}{'us/event':>10}{'MB per 1M rows':>16}"
    )
    for features in (10, 40, 200):
        for entities, events in ((100_000, 1_000_000), (1_000_000, 2_000_000)):
            _print_engine(features, entities, events)
    print("\nthe cost of an event by the length of the window: 24 features, 1,000 entities, 400,000 events")
    stream = _stream(1_000, 400_000)
    for length in LENGTHS:
        _, rate = _engine(of_one_length(length), stream)
        print(f"{length:>9} {1e6 / rate:>6.2f} us/event")
    print("\nthe same work three ways: 40 features, 10,000 entities, 200,000 events, all of them timed")
    _beside(declared(40), _stream(10_000, 200_000))
    print("\nthe twin alone, on two threads: 40 features, 10,000 entities, 1,500,000 events")
    print(f"  {_twin(declared(40), _stream(10_000, 1_500_000), threads=2)[1]:.0f} s")


def _print_engine(features: int, entities: int, events: int) -> None:
    pipeline = declared(features)
    store, rate = _engine(pipeline, _stream(entities, events))
    per_million = store.nbytes / max(store.row_count, 1)
    print(f"{features:>9}{entities:>11,}{events:>11,}{rate:>10,.0f}{1e6 / rate:>10.2f}{per_million:>16.0f}")


def _stream(entities: int, events: int, seed: int = 1) -> pa.RecordBatch:
    """Payments in order of time: cards and shops drawn evenly, amounts skewed."""
    random = np.random.default_rng(seed)
    at = START + np.sort(random.integers(0, DAYS * DAY_US, events))
    amounts = np.minimum(random.lognormal(8, 1.5, events), 1e9).astype(np.int64)
    fields = declared(10).event.fields
    columns: dict[str, pa.Array[Any]] = {
        "id": _texts("", np.arange(events)),
        "at": pa.array(at, pa.timestamp("us")),
        "card": _texts("card-", random.integers(0, entities, events)),
        "shop": _texts("shop-", random.integers(0, entities, events)),
        "category": pa.array(random.integers(0, 40, events)),
        "amount": to_arrow(fields["amount"].type, amounts.tolist()),
    }
    schema = event_schema(declared(10).event)
    return pa.record_batch([columns[name] for name in schema.names], schema=schema)


def _texts(prefix: str, numbers: Ints) -> pa.Array[Any]:
    joined: Any = pc.binary_join_element_wise  # its stubs know no plain text among the arrays
    texts: pa.Array[Any] = joined(prefix, pa.array(numbers).cast(pa.string()), "")
    return texts


def _batches(stream: pa.RecordBatch, start: int, end: int) -> Iterator[pa.RecordBatch]:
    for at in range(start, end, BATCH):
        yield stream.slice(at, min(BATCH, end - at))


def _engine(pipeline: Pipeline, stream: pa.RecordBatch) -> tuple[FeatureStore, float]:
    """The store after the whole stream, and events per second of its second half."""
    store, half = _store(pipeline), stream.num_rows // 2
    for batch in _batches(stream, 0, half):
        _step(store, batch)
    started = time.perf_counter()
    for batch in _batches(stream, half, stream.num_rows):
        _step(store, batch)
    return store, (stream.num_rows - half) / (time.perf_counter() - started)


def _store(pipeline: Pipeline) -> FeatureStore:
    store = FeatureStore(pipeline)
    store.add_partition(0)
    return store


def _step(store: FeatureStore, batch: pa.RecordBatch) -> Matrix:
    found = store.observe(batch, np.zeros(batch.num_rows, np.int64))
    store.commit()
    return found


def _beside(pipeline: Pipeline, stream: pa.RecordBatch) -> None:
    store, deques, events = _store(pipeline), DequeFeatures(pipeline), stream.num_rows
    started = time.perf_counter()
    online = np.concatenate([_step(store, batch) for batch in _batches(stream, 0, events)])
    engine_s = time.perf_counter() - started
    started = time.perf_counter()
    plain = deques.observe(stream)
    deques_s = time.perf_counter() - started
    twin, twin_s = _twin(pipeline, stream, threads=1)
    offline = np.column_stack(
        [twin.sort_by("seq")[f.name].to_numpy().astype(float) for f in pipeline.feature_vector]
    )
    for name, found in (("deques", plain), ("twin", offline)):
        if not np.allclose(found, online, rtol=1e-9, atol=0, equal_nan=True):
            raise SystemExit(f"the {name} found other values than the engine")
    for name, seconds in (("engine", engine_s), ("Python deques", deques_s), ("DuckDB twin", twin_s)):
        print(
            f"{name:>15} {events / seconds:>10,.0f} events/s {seconds / engine_s:>7.1f} x the engine's time"
        )


def _twin(pipeline: Pipeline, stream: pa.RecordBatch, threads: int) -> tuple[pa.Table, float]:
    """The twin's features of a stream, and the seconds that they took."""
    connection = memory(threads)
    history = _history(stream)
    started = time.perf_counter()
    connection.register("events", history)
    found = offline_features(connection, pipeline, deltas=None)
    return found, time.perf_counter() - started


def _history(stream: pa.RecordBatch) -> pa.Table:
    seq = np.arange(1, stream.num_rows + 1)
    table = pa.Table.from_batches([stream])
    for name, column in (
        ("source_partition", pa.array(np.zeros(len(seq), np.int32))),
        ("seq", pa.array(seq)),
        ("decided_seq", pa.array(seq)),
        ("let_through", pa.array(np.ones(len(seq), np.bool_))),
    ):
        table = table.append_column(name, column)
    return table
