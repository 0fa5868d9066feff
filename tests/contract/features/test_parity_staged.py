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
from training.history.keeper import KeptHistory
from training.history.logged import check_history, check_stored
from training.keeper.definitions import add_definitions
from training.keeper.history_export import export_history_offline
from training.keeper.history_import import import_history_offline
from training.keeper.log_rows import log_tables
from training.keeper.store import STORE, open_keeper_store, outbox_schema

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message
    from tests.support.staged import Row
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


def sink(folder: Path, pipeline: Pipeline, log: list[bytes], routed: list[Row]) -> None:
    """Store a feature log, and what was routed by then, as the keeper of ``folder`` does."""
    tables = log_tables([cast("Message", Logged(value, at)) for at, value in enumerate(log)])
    assert tables is not None
    incoming: dict[str, Any] = {
        "scored": tables.scored,
        "batches": tables.batches,
        "deltas": tables.deltas,
        "outbox": pa.Table.from_pylist(routed, outbox_schema(pipeline)),
    }
    store = open_keeper_store(folder / STORE, pipeline.deciding)
    for name, table in incoming.items():
        if table.num_rows:
            with relations(store, incoming=table):
                store.execute(f"INSERT INTO {name} BY NAME FROM incoming")
    add_definitions(store, tables.definitions)
    store.close()


def checked(folder: Path, pipeline: Pipeline) -> Checked:
    """What ``features check`` says of what is stored."""
    return check_stored(pipeline, KeptHistory(pipeline, folder), folder, quiet)


@pytest.mark.parametrize(("seed", "count"), [(1, 1), (2, 120)])
def test_a_staged_history_is_what_the_twin_computes(
    tmp_path: Path, pipeline: Pipeline, seed: int, count: int
) -> None:
    relay = played(pipeline, seed, count)
    frauds = ("customer_id_frauds_7d", "device_id_country_frauds_7d_delay_10m", "terminal_id_frauds_7d")
    assert count == 1 or all(any(row[name] for row in relay.rows) for name in frauds)
    sink(tmp_path, pipeline, relay.log, relay.routed)
    found = checked(tmp_path, pipeline)
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
    relay = played(pipeline, 5, 60, 91, filled.snapshots)
    sink(tmp_path, pipeline, relay.log, relay.routed)
    found = checked(tmp_path, pipeline)
    assert found.rows == 150
    assert {each.rows for each in found.features} == {150 - found.late}
    assert [(each.name, each.example) for each in found.features if each.differences] == []


def test_what_overtook_events_on_their_way_is_compared_when_they_have_come(
    tmp_path: Path, pipeline: Pipeline
) -> None:
    relay = played(pipeline, 6, 80)
    log = relay.log
    on_its_way = [value for value in log if decode_log(value)[1].partition == 0][-3:]
    there = [value for value in log if value not in on_its_way]
    sink(tmp_path, pipeline, there, relay.routed)
    export_history_offline(tmp_path, pipeline, tmp_path / "first")
    assert check_history(pipeline, tmp_path / "first", quiet).differences
    rest: list[list[bytes]] = [[], on_its_way]

    class Flowing(KeptHistory):
        """More is stored whenever it is read."""

        def export(self, folder: Path) -> None:
            if more := rest.pop(0):
                sink(tmp_path, pipeline, more, [])
            super().export(folder)

    found = check_stored(pipeline, Flowing(pipeline, tmp_path), tmp_path, quiet)
    assert found.differences == 0
    assert found.rows == sum(decode_log(value)[0].num_rows for value in there)
    assert not rest
