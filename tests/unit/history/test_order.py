"""The applied order of past events and what became known about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feature_store.log import delta_schema
from streams.sources.partitions import partitions_of
from streams.sources.past_events import read_past_events
from tests.unit.history.past import OUTCOMES, WINDOWS, declared, written
from training.history.order import Order, in_order

if TYPE_CHECKING:
    from pathlib import Path

HOURS = [0.0, 1.0, 48.0, 48.0, 49.5, 60.0]


@pytest.fixture
def order(tmp_path: Path) -> Order:
    pipeline = declared(*WINDOWS, *OUTCOMES)
    past = read_past_events(pipeline, written(tmp_path, HOURS, [0, 1, 4]))
    return in_order(pipeline, past, 3)


def test_an_outcome_due_at_the_time_of_an_event_comes_before_it(order: Order) -> None:
    # e0 is known at hour 48, before both events of that time; e1 at 49; e4 after the last event.
    assert order.seqs.tolist() == [1, 2, 4, 5, 7, 8]
    assert order.deltas["seq"].to_pylist() == [3, 6]
    assert order.deltas["event_id"].to_pylist() == ["e0", "e1"]
    assert order.before.tolist() == [2, 4]


def test_a_delta_says_all_that_features_count(order: Order) -> None:
    assert order.deltas.schema.equals(delta_schema(declared(*OUTCOMES)))
    first = order.deltas.to_pylist()[0]
    assert first["event_time"] == order.past.events["at"][0].as_py()
    assert (first["fraud"], first["let_through"], first["route_seq"]) == (1, True, 1)
    assert (first["entity_terminal"], first["entity_customer"]) == ("t0", "c0")
    assert first["source_partition"] == order.partitions[0]


def test_events_stand_on_the_partitions_of_their_keys(order: Order) -> None:
    assert order.partitions.tolist() == partitions_of(order.past.keys, 3).tolist()
    assert len(set(order.partitions.tolist())) > 1


def test_nothing_is_to_be_known_where_no_feature_counts_it(tmp_path: Path) -> None:
    pipeline = declared(*WINDOWS)
    order = in_order(pipeline, read_past_events(pipeline, written(tmp_path, HOURS, [0, 1, 4])))
    assert order.deltas.num_rows == 0
    assert order.seqs.tolist() == [1, 2, 3, 4, 5, 6]


def test_no_events_have_no_order(tmp_path: Path) -> None:
    pipeline = declared(*WINDOWS, *OUTCOMES)
    order = in_order(pipeline, read_past_events(pipeline, written(tmp_path, [], [])))
    assert (order.seqs.tolist(), order.deltas.num_rows) == ([], 0)
