from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from feature_store.declaration.load import load_pipeline
from feature_store.errors import ContractError
from feature_store.log import LogMeta, log_schema
from streams.messages import Label, Outcome
from streams.monitor.state import MonitorState

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

_DAY = 86_400_000_000
_SHIPPED = Path(__file__).resolve().parents[3] / "config" / "payments.yaml"


@pytest.fixture
def pipeline() -> Pipeline:
    pipeline = load_pipeline(_SHIPPED, {"SLUICEGATE_CONTROL_KEY": "k"})
    return pipeline.model_copy(update={"clock": "stream"})


def _batch(pipeline: Pipeline, rows: list[dict[str, Any]], **meta: Any) -> tuple[pa.RecordBatch, LogMeta]:
    filled = [
        {
            "event_id": f"e{row['source_offset']}",
            "event_time": _DAY,
            "arrived_at": _DAY,
            "decided_at": _DAY,
            "record_time": 1_000,
            "action": "approve",
            "policy_action": "approve",
            **row,
        }
        for row in rows
    ]
    batch = pa.RecordBatch.from_pylist(filled, schema=log_schema(pipeline))
    given = {"first_offset": 0, "next_offset": 1 + max((r["source_offset"] for r in rows), default=0), **meta}
    defaults: dict[str, Any] = {
        "pipeline": "payments",
        "topic": "events",
        "partition": 0,
        "release_epoch": 1,
        "policy_offset": 0,
        "duplicates": [],
        "dead_letters": [],
        "hashes": {},
    }
    return batch, LogMeta(**{**defaults, **given})


def test_a_batch_is_counted(pipeline: Pipeline) -> None:
    state = MonitorState(pipeline)
    rows = [
        {"source_offset": 0, "score": 0.004, "model": "m1"},
        {"source_offset": 2, "score": 0.7, "model": "m2", "action": "decline", "policy_action": "decline"},
        {"source_offset": 3, "fallback": "cold_start", "arrived_at": 2 * _DAY},
    ]
    state.batch(
        *_batch(pipeline, rows, duplicates=[1], dead_letters=[4, 5], next_offset=6), written_at=1_008_000
    )
    status = state.status()
    assert status["events"] == 3
    assert status["duplicates"] == 1
    assert status["dead_letters"] == 2
    assert status["fallbacks"] == 1
    assert status["actions"] == {"approve": 2, "review": 0, "decline": 1}
    assert status["stream_time"] == "1970-01-03T00:00:00.000000Z"
    assert status["latency_ms"]["total"] == {"count": 3, "p50": 8.0, "p99": 8.0, "p999": 8.0}
    assert status["releases"] == [{"epoch": 1, "events": 3, "first_seen": "1970-01-02T00:00:00.000000Z"}]
    models = {model["version"]: model for model in status["models"]}
    assert list(models) == ["m1", "m2", "cold_start"]
    edges = np.array(status["score_edges"])
    assert np.flatnonzero(models["m1"]["scores"]).tolist() == [int(np.searchsorted(edges, 0.004)) - 1]
    assert sum(models["cold_start"]["scores"]) == 0
    assert msgspec.json.decode(msgspec.json.encode(status)) == status


def test_what_was_counted_is_not_counted_again(pipeline: Pipeline) -> None:
    state = MonitorState(pipeline)
    first = _batch(pipeline, [{"source_offset": 0}, {"source_offset": 1}], duplicates=[2], next_offset=3)
    state.batch(*first, written_at=0)
    state.batch(*first, written_at=0)
    overlap = _batch(
        pipeline,
        [{"source_offset": 1}, {"source_offset": 4}],
        duplicates=[2, 3],
        dead_letters=[5],
        next_offset=6,
    )
    state.batch(*overlap, written_at=0)
    status = state.status()
    assert status["events"] == 3
    assert status["duplicates"] == 2
    assert status["dead_letters"] == 1
    assert status["problems"]["repeated"] == 1
    assert status["quality"]["pending"] == 3


def test_other_partitions_have_offsets_of_their_own(pipeline: Pipeline) -> None:
    state = MonitorState(pipeline)
    for partition in (0, 1):
        state.batch(*_batch(pipeline, [{"source_offset": 0}], partition=partition), written_at=0)
    assert state.status()["events"] == 2


def test_the_stream_clock_is_that_of_decisions(pipeline: Pipeline) -> None:
    state = MonitorState(pipeline)
    assert state.now() == 0
    state.batch(*_batch(pipeline, [{"source_offset": 0}]), written_at=0)
    state.outcome(Outcome("e0", Label.FRAUD, "1970-01-09T00:00:00Z", "analyst"))
    assert state.now() == _DAY
    state.mature(_DAY + pipeline.outcomes.maturity)
    quality = state.status()["quality"]
    assert quality["total"]["frauds"] == 1
    assert quality["pending"] == 0


def test_a_stretch_of_nothing_but_dead_letters_counts(pipeline: Pipeline) -> None:
    state = MonitorState(pipeline)
    state.batch(*_batch(pipeline, [], dead_letters=[0, 1], next_offset=2), written_at=0)
    status = state.status()
    assert (status["events"], status["dead_letters"]) == (0, 2)


@pytest.mark.parametrize("broken", [{"action": "shrug"}, {"event_time": None}])
def test_rows_that_are_not_decisions_are_refused_and_nothing_is_counted(
    pipeline: Pipeline, broken: dict[str, Any]
) -> None:
    state = MonitorState(pipeline)
    with pytest.raises(ContractError):
        state.batch(*_batch(pipeline, [{"source_offset": 0, **broken}]), written_at=0)
    assert state.status()["events"] == 0
    state.batch(*_batch(pipeline, [{"source_offset": 0}]), written_at=0)
    assert state.status()["events"] == 1


def test_a_batch_without_the_columns_is_refused(pipeline: Pipeline) -> None:
    state = MonitorState(pipeline)
    _, meta = _batch(pipeline, [{"source_offset": 0}])
    with pytest.raises(ContractError, match="source_offset"):
        state.batch(pa.RecordBatch.from_pydict({"x": [1]}), meta, written_at=0)
