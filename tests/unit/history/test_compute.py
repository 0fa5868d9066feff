"""Features of a file by either engine: equal to each other and to the brute-force oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from feature_store.columns import columns_from_log
from feature_store.errors import ConfigError
from streams.sources.past_events import read_past_events
from tests.support.oracle import Delta, Event, Meaning, Oracle
from tests.unit.history.past import OUTCOMES, WINDOWS, declared, written
from training.history.compute import compute_file, feature_schema
from training.history.order import in_order

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.history.compute import Engine
    from training.history.order import Order

# Ties, and outcomes (two days later) that are due at exactly the time of an event, or between ties.
HOURS = sorted([float(n % 90) for n in range(150)] + [48.0, 72.0, 72.0])
FRAUDS = [0, 1, 5, 24, 25, 40, 41, 90, 152]
ENGINES: list[Engine] = ["online", "offline"]


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def expected(pipeline: Pipeline, order: Order) -> list[list[Any]]:
    oracle = Oracle(pipeline, Meaning({}, {"large": lambda event: float(event["amount"] > 500)}))
    (batch,) = order.past.events.combine_chunks().to_batches()
    rows = columns_from_log(pipeline.event, batch)
    values = [dict(zip(rows, each, strict=True)) for each in zip(*rows.values(), strict=True)]
    events = [
        Event(each, int(partition), int(seq), int(seq), let_through=True)
        for each, partition, seq in zip(values, order.partitions, order.seqs, strict=True)
    ]
    by_id = {each["id"]: each for each in values}
    deltas = [
        Delta(by_id[d["event_id"]], 0, by_id[d["event_id"]]["at"], d["seq"], 1, let_through=True)
        for d in order.deltas.to_pylist()
    ]
    return [oracle.vector(event, [*events, *deltas]) for event in events]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_feature_is_what_the_oracle_says(tmp_path: Path, engine: Engine) -> None:
    pipeline = declared(*WINDOWS, *OUTCOMES)
    file, out = written(tmp_path, HOURS, FRAUDS), tmp_path / "out.parquet"
    assert compute_file(pipeline, file, engine, out, quiet) == len(HOURS)
    table = pq.read_table(out)
    assert table.schema.equals(feature_schema(pipeline))
    order = in_order(pipeline, read_past_events(pipeline, file))
    assert order.deltas.num_rows == len(FRAUDS) - 2  # the last two are not known by the end
    assert table["id"].to_pylist() == order.past.ids.to_pylist()
    matrix = np.column_stack([table[name].to_numpy() for name in table.column_names[1:]])
    for found, said in zip(matrix, expected(pipeline, order), strict=True):
        assert all(each.allows(value) for each, value in zip(said, found, strict=True))
    assert np.nanmax(table["terminal_frauds_3d_delay_24h"].to_numpy()) > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_without_events_gives_one_without_rows(tmp_path: Path, engine: Engine) -> None:
    out = tmp_path / "out.parquet"
    assert compute_file(declared(), written(tmp_path, [], []), engine, out, quiet) == 0
    assert pq.read_table(out).schema.equals(feature_schema(declared()))


def test_the_file_of_past_events_is_never_overwritten(tmp_path: Path) -> None:
    file = written(tmp_path, [0.0], [])
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="is the file of past events itself"):
        compute_file(declared(), file, "online", tmp_path / "." / file.name, quiet)
    assert file.read_bytes() == before


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "no such folder" / "out.parquet"
    with pytest.raises(ConfigError, match=r"out\.parquet: cannot be written"):
        compute_file(declared(), written(tmp_path, [0.0], []), "online", out, quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["past.parquet"]
