"""Parity of stages: what they logged is what the twin computes of it, though each has an order of its own."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_store.duck import relations
from feature_store.log import decode_log
from streams.sources.past_events import read_past_events
from tests.support.payments import event, shipped_tree
from tests.support.staged import staged_pipeline
from tests.support.staged_relay import payment, played
from training.history.folder import write_folder
from training.history.logged import check_history
from training.keeper.definitions import add_definitions
from training.keeper.history_export import export_history_offline
from training.keeper.history_import import import_history_offline
from training.keeper.log_rows import log_tables
from training.keeper.store import STORE, open_keeper_store

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message
    from training.history.check import Checked


class Logged:
    """A record of the feature log, on the partition of its rows."""

    def __init__(self, value: bytes, offset: int) -> None:
        self._value = value
        self._offset = offset

    def value(self) -> bytes:
        return self._value

    def partition(self) -> int:
        return decode_log(self._value)[1].partition

    def offset(self) -> int:
        return self._offset


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    label = {"column": "fraud", "delay": "1h", "source": "chargeback"}
    event = shipped_tree()["event"] | {"file": {"label": label}}
    return staged_pipeline(tmp_path_factory.mktemp("staged"), event=event)[1]


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def written(folder: Path, count: int) -> Path:
    """A file of past payments; every seventh becomes known as fraud an hour later."""
    luck = random.Random(9)
    rows = [event(n, **payment(luck, n)) | {"fraud": n % 7 == 0} for n in range(1, count + 1)]
    path = folder / "past.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def checked(folder: Path, pipeline: Pipeline, log: list[bytes]) -> Checked:
    """What ``features check`` says of a feature log that a keeper of ``folder`` has sunk."""
    tables = log_tables([cast("Message", Logged(value, at)) for at, value in enumerate(log)])
    assert tables is not None
    incoming: dict[str, Any] = {"scored": tables.scored, "batches": tables.batches, "deltas": tables.deltas}
    store = open_keeper_store(folder / STORE, pipeline.deciding)
    for name, table in incoming.items():
        if table.num_rows:
            with relations(store, incoming=table):
                store.execute(f"INSERT INTO {name} BY NAME FROM incoming")
    add_definitions(store, tables.definitions)
    store.close()
    export_history_offline(folder, pipeline, folder / "history")
    return check_history(pipeline, folder / "history", quiet)


@pytest.mark.parametrize(("seed", "count"), [(1, 1), (2, 120)])
def test_a_staged_history_is_what_the_twin_computes(
    tmp_path: Path, pipeline: Pipeline, seed: int, count: int
) -> None:
    found = checked(tmp_path, pipeline, played(pipeline, seed, count).log)
    assert found.rows == count
    assert {each.rows for each in found.features} == {count - found.late}
    assert [(each.name, each.example) for each in found.features if each.differences] == []


def test_live_events_see_what_a_backfill_has_filled_in(tmp_path: Path, pipeline: Pipeline) -> None:
    past = tmp_path / "past"
    past.mkdir()
    file = written(tmp_path, 90)
    filled = write_folder(pipeline, read_past_events(pipeline, file), past, quiet)
    assert filled.known
    import_history_offline(tmp_path, pipeline, past)
    found = checked(tmp_path, pipeline, played(pipeline, 5, 60, 91, filled.snapshots).log)
    assert found.rows == 150
    assert {each.rows for each in found.features} == {150 - found.late}
    assert [(each.name, each.example) for each in found.features if each.differences] == []
