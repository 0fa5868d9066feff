"""What goes to Kafka in a step's transaction, with a producer and a consumer that only take notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from feature_store.errors import StateError
from streams.kafka import LARGEST_MESSAGE, Consumer, KafkaError, KafkaException, Producer
from streams.scorer.messages import LARGEST_DEAD_LETTER
from streams.scorer.records import Decided, Refused, SourceRecord, StepResult
from streams.scorer.transaction import Transactions
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path


class NotingProducer:
    """A transactional producer that keeps what it is given."""

    def __init__(self) -> None:
        self.produced: list[dict[str, Any]] = []
        self.members: list[object] = []
        self.fenced = False

    def begin_transaction(self) -> None: ...

    def commit_transaction(self, timeout: float) -> None:
        del timeout
        if self.fenced:
            raise KafkaException(KafkaError(KafkaError._FENCED, "fenced by another", fatal=True))

    def produce(self, topic: str, **given: Any) -> None:
        self.produced.append({"topic": topic, **given})

    def send_offsets_to_transaction(self, offsets: object, group: object, timeout: float) -> None:
        del offsets, timeout
        self.members.append(group)


class Member:
    """A consumer whose group generation moves on without being asked."""

    def __init__(self) -> None:
        self.generation = 0

    def consumer_group_metadata(self) -> int:
        return self.generation


@pytest.fixture
def producer() -> NotingProducer:
    return NotingProducer()


@pytest.fixture
def member() -> Member:
    return Member()


@pytest.fixture
def transactions(producer: NotingProducer, member: Member, tmp_path: Path) -> Transactions:
    _, pipeline = private_pipeline(tmp_path, "unit")
    return Transactions(cast("Producer", producer), cast("Consumer", member), pipeline)


def test_a_giant_is_kept_in_part_and_says_so(transactions: Transactions, producer: NotingProducer) -> None:
    giant = SourceRecord(0, 7, b"k" * 30_000_000, b"x" * 30_000_000, 1, 1_000)
    transactions.commit(StepResult(refused=[Refused(giant, "too_large", "30000000 bytes")]))
    (sent,) = producer.produced
    assert sent["value"] == b"x" * LARGEST_DEAD_LETTER
    assert len(sent["key"]) + len(sent["value"]) < LARGEST_MESSAGE
    assert dict(sent["headers"])["cut_from"] == "30000000"


def test_a_dead_letter_that_fits_is_the_raw_bytes(
    transactions: Transactions, producer: NotingProducer
) -> None:
    record = SourceRecord(0, 7, None, b"\xff\x00", 1, 1_000)
    transactions.commit(StepResult(refused=[Refused(record, "not_json", "a\x00b")]))
    (sent,) = producer.produced
    assert (sent["key"], sent["value"]) == (None, b"\xff\x00")
    assert "cut_from" not in dict(sent["headers"])
    assert dict(sent["headers"])["detail"] == b"a\x00b"


def test_a_dead_letter_keeps_the_headers_of_its_producer(
    transactions: Transactions, producer: NotingProducer
) -> None:
    record = SourceRecord(0, 7, None, b"x", 1, 1_000)
    theirs = [("trace", b"t1"), ("reason", b"mine"), ("trace", None), ("redriven_from", b"0/3")]
    transactions.commit(StepResult(refused=[Refused(record, "not_json", "x", theirs)]))
    (sent,) = producer.produced
    assert sent["headers"][:3] == [("trace", b"t1"), ("trace", None), ("redriven_from", b"0/3")]
    assert [value for name, value in sent["headers"] if name == "reason"] == ["not_json"]


def test_giant_headers_are_left_out_and_it_is_said(
    transactions: Transactions, producer: NotingProducer
) -> None:
    record = SourceRecord(0, 7, None, b"x", 1, 1_000)
    transactions.commit(StepResult(refused=[Refused(record, "not_json", "x", [("a", b"x" * 100_000)])]))
    (sent,) = producer.produced
    assert sent["headers"][0] == ("headers_cut_from", "100001")
    assert "a" not in dict(sent["headers"])


def test_an_id_is_whole_in_its_header(transactions: Transactions, producer: NotingProducer) -> None:
    record = SourceRecord(0, 7, b"k", b"{}", 1, 1_000)
    transactions.commit(StepResult(decided=[Decided(record, "a\x00b", None, b"{}")]))
    assert dict(producer.produced[0]["headers"]) == {"event_id": b"a\x00b", "model": b""}


def test_offsets_go_under_the_generation_of_the_assignment_not_of_the_moment(
    transactions: Transactions, producer: NotingProducer, member: Member
) -> None:
    member.generation = 5
    transactions.joined()
    member.generation = -1  # the group gave this member up while it worked
    transactions.commit(StepResult())
    member.generation = 6
    transactions.joined()
    transactions.commit(StepResult())
    assert producer.members == [5, 6]


def test_who_is_fenced_ends_in_order_to_recover(transactions: Transactions, producer: NotingProducer) -> None:
    producer.fenced = True
    with pytest.raises(StateError, match=r"commit: fenced by another: .*a fresh one recovers"):
        transactions.commit(StepResult())


def test_a_decision_goes_on_with_the_trace_of_its_event(
    transactions: Transactions, producer: NotingProducer
) -> None:
    parent = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    traced = SourceRecord(0, 7, b"k", b"v", 1, 1_000, (parent,))
    plain = SourceRecord(0, 8, b"k", b"v", 1, 1_000)
    transactions.commit(StepResult([Decided(each, "e", "m1", b"{}") for each in (traced, plain)]))
    own = [("event_id", b"e"), ("model", b"m1")]
    assert [each["headers"] for each in producer.produced] == [[*own, parent], own]
