"""Outcome deltas: what is sound, what was applied before, and where a partition stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.errors import ContractError
from feature_store.log import delta_schema
from streams.scorer.deltas import DeltaBook, DeltaDecoder, OutcomePosition, deltas_of
from streams.scorer.records import SourceDelta
from tests.support.outcomes import counting_frauds, delta
from tests.support.payments import MONDAY, SECOND

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder: Path = tmp_path_factory.mktemp("deltas")
    features = {
        "windows": [
            {"entity": ["customer_id", "card_id"], "windows": ["7d"], "frauds": True},
            {"entity": ["customer_id", "visits"], "windows": ["7d"], "frauds": True},
            {"entity": ["customer_id", "contactless"], "windows": ["7d"], "frauds": True},
        ]
    }
    event = {
        "id": "event_id",
        "time": "event_time",
        "key": "customer_id",
        "fields": {
            "event_id": "string",
            "event_time": "timestamp",
            "customer_id": "string",
            "card_id": "string",
            "visits": "integer",
            "contactless": "boolean",
            "amount": "decimal(12,2)",
        },
    }
    decision = {
        "costs": {"missed_fraud_share": 1.0, "review": 3.0, "false_decline": 20.0, "amount": "amount"}
    }
    return counting_frauds(folder, features=features, event=event, decision=decision)[1]


ENTITY = {"customer_id": "c1", "card_id": "k", "visits": 3, "contactless": True}


def source(decoder: DeltaDecoder, offset: int, raw: bytes, partition: int = 0) -> SourceDelta:
    return SourceDelta(partition, offset, decoder.decode(raw))


def test_a_delta_becomes_a_row_of_its_partition(pipeline: Pipeline) -> None:
    decoder, book = DeltaDecoder(pipeline), DeltaBook(pipeline)
    for partition in (0, 3):
        book.add_partition(partition)
    given_ = [source(decoder, 9, delta(4, 1, entity=ENTITY), partition=3), source(decoder, 2, delta(3, 2))]
    found = book.take(given_, first_seq=70)
    assert found.schema.equals(delta_schema(pipeline))
    first, second = found.to_pylist()
    assert (first["seq"], first["route_seq"], first["source_partition"]) == (70, 4, 3)
    assert [first[f"entity_{name}"] for name in ENTITY] == list(ENTITY.values())
    assert second["seq"] == 71
    assert (second["entity_customer_id"], second["entity_visits"]) == ("c2", None)
    assert found.column("event_time").cast(pa.int64()).to_pylist() == [MONDAY + SECOND, MONDAY + 2 * SECOND]
    assert deltas_of(3, found).column("seq").to_pylist() == [70]


def test_what_was_applied_before_is_skipped_and_its_offset_counts(pipeline: Pipeline) -> None:
    decoder, book = DeltaDecoder(pipeline), DeltaBook(pipeline)
    book.add_partition(0, OutcomePosition(5, 7))
    book.add_partition(1)
    again = [source(decoder, 5 + i, delta(route_seq, i)) for i, route_seq in enumerate((6, 7, 8, 9, 8, 10))]
    other = source(decoder, 0, delta(7, 1), partition=1)
    found = book.take([*again, other, SourceDelta(1, 4, None)], first_seq=1)
    assert found.column("route_seq").to_pylist() == [8, 9, 10, 7]
    assert (book.position(0), book.position(1)) == ((11, 10), (5, 7))
    assert book.committed == {0: (5, 7), 1: (0, 0)}
    book.rollback()
    assert book.take([*again, other], first_seq=1).equals(found)
    book.commit()
    assert book.committed == {0: (11, 10), 1: (1, 7)}
    assert book.take(again, first_seq=5).num_rows == 0


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (None, "not an outcome delta"),
        (b"", "not an outcome delta"),
        (b"\xff", "not an outcome delta"),
        (b"[" * 100_000, "not an outcome delta"),
        (delta(1, 1).replace(b":1,", b':"1",'), "not an outcome delta"),
        (delta(1, 1, event_time="yesterday"), "not an outcome delta"),
        (delta(1, 1, event_time="2026-01-05T00:00:00"), "no UTC offset"),
        (delta(1, 1, event_time="9999-12-31T23:59:59-14:00"), "years 1 to 9999"),
        (delta(0, 1), "route_seq is 0"),
        (delta(2**63, 1), "route_seq is"),
        (delta(1, 1, fraud=0), "fraud is 0"),
        (delta(1, 1, fraud=True), "not an outcome delta"),
        (delta(1, 1, entity={"customer_id": 7}), "entity.customer_id: expected string"),
        (delta(1, 1, entity={"visits": True}), "entity.visits: expected integer"),
        (delta(1, 1, entity={"visits": -(2**63)}), "entity.visits: expected integer"),
        (delta(1, 1, entity={"contactless": 1}), "entity.contactless: expected boolean"),
        (delta(1, 1, entity={"customer_id": 1.5}), "not an outcome delta"),
    ],
)
def test_anything_else_is_refused(pipeline: Pipeline, raw: bytes | None, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        DeltaDecoder(pipeline).decode(raw)


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_NAMES = ["route_seq", "event_id", "event_time", "fraud", "let_through", "entity"]


@given(st.dictionaries(st.sampled_from(_NAMES), _JSON))
def test_no_message_raises_anything_else(pipeline: Pipeline, changes: dict[str, Any]) -> None:
    raw = json.dumps(json.loads(delta(1, 1)) | changes).encode(errors="replace")
    book = DeltaBook(pipeline)
    book.add_partition(0)
    try:
        values = DeltaDecoder(pipeline).decode(raw)
    except ContractError:
        return
    assert book.take([SourceDelta(0, 0, values)], 1).num_rows == 1
