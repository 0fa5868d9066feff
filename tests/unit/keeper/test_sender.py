"""From outcomes and events on their topics to deltas on theirs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.errors import ContractError
from feature_store.units import to_text
from streams.kafka import (
    KafkaError,
    KafkaException,
    Producer,
    plain_producer,
    read_to_end,
    transactional_producer,
)
from streams.kafka.headers import headers_of
from streams.messages import OutcomeDelta
from tests.unit.keeper.conftest import write_pipeline
from tests.unit.keeper.sending import Delta, Running, deltas_on, sent_before_its_store_was_lost
from tests.unit.keeper.sink.sinking import outcome
from tests.unit.keeper.test_routing import rows_of
from tests.unit.keeper.written import MINUTE, START, event_id, until, write_batches, write_outcomes
from training.keeper.outbox import sender_id
from training.keeper.parts import KeeperSettings
from training.keeper.sender import DeltaSender
from training.keeper.service import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts


@pytest.fixture
def config(tmp_path: Path, unique: str) -> Path:
    return write_pipeline(tmp_path, unique, "count: true, fraud_rate: true")


def sent(parts: Parts) -> list[Delta]:
    """Partition and delta of every message on the topic, in the order of each partition."""
    return deltas_on(parts.settings.bootstrap, parts.pipeline.topics.entity_outcomes)


def test_outcomes_and_events_in_deltas_out(
    start: Callable[[], Running], pipeline: Pipeline, bootstrap: str
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(1, 3)), outcome("unknown")], START + 500 * MINUTE)
    running = start()
    running.catch_up()
    assert running.sender.step() == 1
    write_outcomes(pipeline, bootstrap, [outcome(event_id(1, 3), "legitimate")], START + 600 * MINUTE)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 4))], START + 700 * MINUTE)
    running.catch_up()
    assert running.sender.step() == 2
    assert running.sender.step() == 0
    when = to_text(START + 3 * MINUTE)
    assert [delta for partition, delta in sent(running.parts) if partition == 1] == [
        OutcomeDelta(1, "e1-3", when, 1, let_through=True, entity={"card": "c3"}),
        OutcomeDelta(2, "e1-3", when, -1, let_through=True, entity={"card": "c3"}),
    ]
    assert [delta.route_seq for partition, delta in sent(running.parts) if partition == 0] == [3]
    messages = read_to_end(bootstrap, pipeline.topics.entity_outcomes)
    arrived = sorted(dict(headers_of(message) or [])["arrived_at"] or b"" for message in messages)
    assert arrived == [str((START + minute * MINUTE) // 1_000).encode() for minute in (500, 600, 700)]


def test_a_kill_between_commit_and_note_is_settled_at_the_next_start(
    start: Callable[[], Running], pipeline: Pipeline, bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3)), outcome(event_id(0, 5))], START)
    running = start()
    running.catch_up()
    running.dies_before_it_notes()
    restarted = start()
    assert rows_of(restarted.parts.store, "SELECT sent FROM routing") == [{"sent": 2}]
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 7))], START)
    restarted.catch_up()
    assert restarted.sender.step() == 1
    assert [delta.route_seq for _, delta in sent(restarted.parts)] == [1, 2, 3]


def test_what_an_earlier_keeper_left_open_cannot_come_after_it_was_looked_up(
    start: Callable[[], Running], pipeline: Pipeline, bootstrap: str
) -> None:
    """A store that was lost would else give the same numbers again."""
    earlier = transactional_producer(bootstrap, sender_id(pipeline))
    earlier.list_topics(timeout=10)
    earlier.init_transactions(10)
    earlier.begin_transaction()
    delta = OutcomeDelta(1, "e0-3", to_text(START), 1, let_through=True, entity={"card": "c3"})
    topic = pipeline.topics.entity_outcomes
    earlier.produce(topic, msgspec.json.encode(delta), partition=0, headers=[("arrived_at", b"1")])
    earlier.flush(30)
    running = start()
    with pytest.raises(KafkaException):
        earlier.commit_transaction(10)
    assert sent(running.parts) == []


def test_a_commit_whose_answer_was_lost_is_sent_again_under_the_same_numbers(
    start: Callable[[], Running], pipeline: Pipeline, bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3)), outcome(event_id(0, 5))], START)
    running = start()
    running.catch_up()
    send = DeltaSender._send

    def unanswered(sender: DeltaSender, deltas: list[dict[str, Any]]) -> None:
        send(sender, deltas)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    with monkeypatch.context() as patched:
        patched.setattr(DeltaSender, "_send", unanswered)
        assert running.sender.step() == 0
    monkeypatch.setattr(running.sender, "_not_before", 0.0)  # the pause is over
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 7))], START)
    running.catch_up()
    assert running.sender.step() == 3
    deltas = [delta for _, delta in sent(running.parts)]
    assert [delta.route_seq for delta in deltas] == [1, 2, 1, 2, 3]
    assert deltas[:2] == deltas[2:4]


@pytest.mark.parametrize("broker", ["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def test_a_kill_before_the_commit_loses_nothing_and_shows_nothing(
    start: Callable[[], Running],
    pipeline: Pipeline,
    bootstrap: str,
    monkeypatch: pytest.MonkeyPatch,
    broker: str,
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3)), outcome(event_id(1, 5))], START)
    running = start()
    running.catch_up()
    monkeypatch.setattr("training.keeper.sender.to_text", _fails_the_second_time())
    with pytest.raises(OSError, match="power cut"):
        running.sender.step()
    monkeypatch.undo()
    assert sent(running.parts) == []
    assert start().sender.step() == 2
    assert sorted(delta.route_seq for _, delta in sent(running.parts)) == [1, 2]


def test_a_broker_that_does_not_answer_costs_a_wait_not_a_delta(
    start: Callable[[], Running], pipeline: Pipeline, bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3))], START)
    running = start()
    running.catch_up()
    with monkeypatch.context() as patched:
        patched.setattr("training.sole_producer.transactional_producer", _unreachable)
        assert running.sender.step() == 0
    monkeypatch.setattr(running.sender, "_not_before", 0.0)  # the pause is over
    assert running.sender.step() == 1
    assert [delta.route_seq for _, delta in sent(running.parts)] == [1]
    assert rows_of(running.parts.store, "SELECT sent FROM routing") == [{"sent": 1}]


def test_more_than_fits_into_its_time_is_sent_in_parts(
    start: Callable[[], Running], pipeline: Pipeline, bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, at)) for at in range(7)], START)
    monkeypatch.setattr("training.keeper.sender._MOST", 8)
    running = start()
    running.catch_up()
    send = DeltaSender._send

    def slow(sender: DeltaSender, deltas: list[dict[str, Any]]) -> None:
        if len(deltas) > 3:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        send(sender, deltas)

    monkeypatch.setattr(DeltaSender, "_send", slow)
    monkeypatch.setattr("training.keeper.sender._PAUSE_S", 0.0)
    assert [running.sender.step() for _ in range(6)] == [0, 0, 2, 0, 2, 3]
    assert [delta.route_seq for _, delta in sent(running.parts)] == [1, 2, 3, 4, 5, 6, 7]


def _fails_the_second_time() -> Callable[[int], str]:
    calls: list[int] = []

    def text(time: int) -> str:
        calls.append(time)
        if len(calls) > 1:
            raise OSError("power cut")
        return to_text(time)

    return text


def _unreachable(*_: object) -> Producer:
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def test_a_running_keeper_sends_what_it_routes(
    config: Path, pipeline: Pipeline, bootstrap: str, tmp_path: Path
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    write_outcomes(pipeline, bootstrap, [outcome(event_id(0, 3))], START)
    stop = threading.Event()
    found: list[Delta] = []
    keeper = threading.Thread(target=run, args=(KeeperSettings(config, bootstrap, tmp_path / "state"), stop))
    keeper.start()
    try:
        until(
            lambda: bool(found) or not keeper.is_alive(),
            lambda: found.extend(deltas_on(bootstrap, pipeline.topics.entity_outcomes)),
        )
    finally:
        stop.set()
        keeper.join()
    assert [delta.event_id for _, delta in found] == ["e0-3"]


def test_a_store_that_was_lost_goes_on_behind_what_was_sent(
    start: Callable[[], Running], tmp_path: Path
) -> None:
    anew = sent_before_its_store_was_lost(start, tmp_path)
    anew.catch_up()
    assert anew.sender.step() == 1
    deltas = sorted((delta for _, delta in sent(anew.parts)), key=lambda delta: delta.route_seq)
    assert [(delta.route_seq, delta.fraud) for delta in deltas] == [(1, 1), (2, 1), (3, -1)]
    assert deltas[2].event_id == "e0-3"


def test_a_foreign_message_among_the_deltas_is_an_error_that_says_where(
    start: Callable[[], Running], pipeline: Pipeline, bootstrap: str
) -> None:
    foreign = plain_producer(bootstrap)
    foreign.produce(pipeline.topics.entity_outcomes, value=b"not ours", partition=1)
    foreign.flush(30)
    with pytest.raises(ContractError, match=rf"{pipeline.topics.entity_outcomes}\[1\]@0"):
        start()
