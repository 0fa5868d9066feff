"""Parity of stages: what they logged is what the twin computes of it, though each has an order of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from feature_store.duck import relations
from feature_store.log import decode_log
from tests.support.staged import staged_pipeline
from tests.support.staged_relay import played
from training.history.logged import check_history
from training.keeper.definitions import add_definitions
from training.keeper.history_export import export_history_offline
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
    return staged_pipeline(tmp_path_factory.mktemp("staged"))[1]


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
    return check_history(pipeline, folder / "history", lambda *_: None)


@pytest.mark.parametrize(("seed", "count"), [(1, 1), (2, 120)])
def test_a_staged_history_is_what_the_twin_computes(
    tmp_path: Path, pipeline: Pipeline, seed: int, count: int
) -> None:
    found = checked(tmp_path, pipeline, played(pipeline, seed, count).log)
    assert found.rows == count
    assert {each.rows for each in found.features} == {count - found.late}
    assert [(each.name, each.example) for each in found.features if each.differences] == []
