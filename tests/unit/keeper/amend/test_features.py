"""Features of late events as the keeper computes them, beside a feature store that forgets nothing."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from feature_store.columns import number_arrays, to_arrow
from feature_store.declaration.load import load_pipeline
from feature_store.duck import relations
from feature_store.log import delta_schema, event_schema, log_schema
from feature_store.store import FeatureStore
from tests.unit.keeper.conftest import PIPELINE
from tests.unit.keeper.written import MINUTE, START
from training.keeper.amend.features import WholeWindows
from training.keeper.definitions import add_definitions, digest_of
from training.keeper.store import STORE, open_keeper_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from feature_store.expressions import Matrix

LATENESS = 10 * MINUTE
EVERYTHING = [
    {
        "entity": "card", "windows": ["1h", "6h"], "count": True, "sum": "amount", "std": "amount",
        "distinct": "holder", "last": {"amount": 2}, "since_last": True, "frauds": True, "fraud_rate": True,
    },
    {"entity": "holder", "windows": ["2h"], "delay": "10m", "count": True, "max": "amount"},
    {"entity": ["card", "holder"], "windows": ["1h"], "count": True, "include_current": True},
]  # fmt: skip


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    tree = yaml.safe_load(PIPELINE.format(name="unit"))
    tree["features"] |= {"late": "amend", "lateness": "10m", "windows": EVERYTHING}
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return load_pipeline(path)


class Stream:
    """Steps of events and deltas, applied by a store that forgets and by one that does not."""

    def __init__(self, pipeline: Pipeline, seed: int) -> None:
        self._random = random.Random(seed)
        self._pipeline = pipeline
        features = pipeline.features.model_copy(update={"lateness": 90 * 24 * 60 * MINUTE})
        forgetting, keeping = (
            FeatureStore(pipeline),
            FeatureStore(pipeline.model_copy(update={"features": features})),
        )
        self._stores = forgetting, keeping
        for store in self._stores:
            for partition in (0, 1):
                store.add_partition(partition)
        self._newest = [START, START]
        self._seq = 0
        self.rows: list[dict[str, Any]] = []
        self.deltas: list[pa.RecordBatch] = []
        self.logged: list[Matrix] = []
        self.whole: list[Matrix] = []

    def step(self) -> None:
        """Something becomes known, then events come; a third of them late by up to ten hours."""
        if self.rows and self._random.random() < 0.5:
            self._learn(self._random.choice(self.rows))
        events = [self._event() for _ in range(self._random.randint(1, 6))]
        for event in events:
            event["decided_seq"] = self._seq
        batch = self._batch(events)
        for store, found in zip(self._stores, (self.logged, self.whole), strict=True):
            found.append(store.observe(batch, [event["source_partition"] for event in events]))
            store.decided(np.array([event["action"] == "approve" for event in events]))
            store.commit()
        self.rows += events

    def table(self) -> pa.Table:
        """The feature log's rows, as the forgetting store filled them."""
        names = [feature.name for feature in self._pipeline.feature_vector]
        features = dict(zip(names, number_arrays(np.vstack(self.logged)), strict=True))
        fields = self._batch(self.rows)
        known = features | dict(zip(fields.schema.names, fields.columns, strict=True))
        schema = log_schema(self._pipeline)
        columns = [
            known[each.name]
            if each.name in known
            else pa.array([row.get(each.name) for row in self.rows], each.type)
            for each in schema
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    def _event(self) -> dict[str, Any]:
        self._seq += 1
        card = self._random.randrange(4)
        partition = card % 2
        late = self._random.random() < 0.3
        if late:
            time = self._newest[partition] - LATENESS - self._random.randint(1, 600) * MINUTE
        else:
            time = self._newest[partition] + self._random.randint(-5, 9) * MINUTE
        flagged = time < self._newest[partition] - LATENESS
        self._newest[partition] = max(time, self._newest[partition])
        return {
            "event_id": f"e{self._seq}",
            "event_time": time,
            "card": f"c{card}",
            "holder": self._random.choice(["a", "b", "c"]),
            "amount": self._random.randrange(100_000),
            "seq": self._seq,
            "source_partition": partition,
            "source_offset": self._seq,
            "arrived_at": START + self._seq,
            "late": flagged,
            "action": self._random.choice(["approve", "approve", "review"]),
        }

    def _learn(self, row: dict[str, Any]) -> None:
        self._seq += 1
        values = {
            "seq": self._seq, "route_seq": self._seq, "source_partition": row["source_partition"],
            "event_id": row["event_id"], "event_time": row["event_time"], "fraud": 1,
            "let_through": row["action"] == "approve", "entity_card": row["card"],
        }  # fmt: skip
        schema = delta_schema(self._pipeline)
        batch = pa.record_batch([pa.array([values[each.name]], each.type) for each in schema], schema=schema)
        for store in self._stores:
            store.learn(batch)
        self.deltas.append(batch)

    def _batch(self, events: list[dict[str, Any]]) -> pa.RecordBatch:
        fields = self._pipeline.event.fields
        arrays = [to_arrow(spec.type, [event[name] for event in events]) for name, spec in fields.items()]
        return pa.record_batch(arrays, schema=event_schema(self._pipeline.event))


@pytest.fixture
def store(tmp_path: Path, pipeline: Pipeline) -> Iterator[Connection]:
    opened = open_keeper_store(tmp_path / STORE, pipeline)
    yield opened
    opened.close()


@pytest.mark.parametrize("seed", range(4))
def test_late_events_see_what_was_forgotten(pipeline: Pipeline, store: Connection, seed: int) -> None:
    stream = Stream(pipeline, seed)
    for _ in range(80):
        stream.step()
    hashes = {feature.name: feature.hash for feature in pipeline.feature_vector}
    add_definitions(store, {digest_of(hashes): hashes})
    with relations(store, rows=stream.table(), deltas_in=pa.Table.from_batches(stream.deltas)):
        store.execute("INSERT INTO scored BY NAME FROM rows")
        store.execute("INSERT INTO deltas BY NAME FROM deltas_in")
    late = store.sql("FROM scored WHERE late ORDER BY source_partition, source_offset").to_arrow_table()
    late = late.append_column("asked.definitions", pa.array([digest_of(hashes)] * late.num_rows))
    found = WholeWindows(pipeline).of(store, late)

    order = {row["seq"]: at for at, row in enumerate(stream.rows)}
    at = [order[seq] for seq in late["seq"].to_pylist()]
    logged, whole = np.vstack(stream.logged)[at], np.vstack(stream.whole)[at]
    np.testing.assert_allclose(found.matrix, whole, rtol=1e-9)
    np.testing.assert_array_equal(found.differs, ~np.isclose(logged, whole, rtol=1e-9, equal_nan=True))
    assert bool(np.all(found.differs[:, 1:].any(axis=0))), "every feature over a window was cut somewhere"
