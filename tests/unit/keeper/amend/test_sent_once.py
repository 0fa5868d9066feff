"""An amended decision is there once, wherever its keeper dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streams.kafka import KafkaError, KafkaException, transactional_producer
from tests.unit.keeper.amend.late import Start, decisions_about, with_a_late_event
from tests.unit.keeper.written import until
from training.keeper.amend import Amender
from training.keeper.store import STORE

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Producer
    from training.keeper.amend.settling import Amendment


def test_a_kill_after_the_commit_sends_nothing_twice(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = with_a_late_event(start, pipeline, bootstrap)
    assert keeping.amend() == 1
    assert keeping.settled() == [None]  # nothing but the message says that it was sent
    restarted = start()
    restarted.amend()
    assert restarted.settled() == ["amended"]
    assert len(decisions_about(pipeline, bootstrap)) == 2


def test_a_kill_before_the_commit_shows_nothing_and_loses_nothing(
    start: Start, pipeline: Pipeline, bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = with_a_late_event(start, pipeline, bootstrap)
    with monkeypatch.context() as patched:
        patched.setattr(Amender, "_send", _cut_before_the_commit)
        with pytest.raises(OSError, match="power cut"):
            keeping.amend()
    assert len(decisions_about(pipeline, bootstrap)) == 1
    restarted = start()
    restarted.amend()
    restarted.amend()
    assert restarted.settled() == ["amended"]
    assert len(decisions_about(pipeline, bootstrap)) == 2


def test_a_commit_whose_answer_was_lost_is_found_on_the_topic(
    start: Start, pipeline: Pipeline, bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = with_a_late_event(start, pipeline, bootstrap)
    send = Amender._send

    def unanswered(*arguments: Any) -> None:
        send(*arguments)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    with monkeypatch.context() as patched:
        patched.setattr(Amender, "_send", unanswered)
        with pytest.raises(KafkaException):
            keeping.amend()
    keeping.amender.close()  # as after any failure
    keeping.amend()
    assert keeping.settled() == ["amended"]
    assert len(decisions_about(pipeline, bootstrap)) == 2


def test_a_broker_that_does_not_answer_costs_a_wait_not_an_amendment(
    start: Start, pipeline: Pipeline, bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = with_a_late_event(start, pipeline, bootstrap)
    reached: list[str] = []

    def unreachable_at_first(bootstrap: str, name: str) -> Producer:
        reached.append(name)
        if len(reached) == 1:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return transactional_producer(bootstrap, name)

    monkeypatch.setattr("training.sole_producer.transactional_producer", unreachable_at_first)
    monkeypatch.setattr("training.keeper.amend.worker._PAUSE_S", 0.01)
    keeping.amender.start()
    try:
        until(lambda: keeping.settled() == ["amended"], keeping.sink.step)
    finally:
        keeping.amender.stop()
    keeping.amender.check()
    assert reached == [f"sluicegate.{pipeline.name}.keeper.amendments"] * 2
    assert len(decisions_about(pipeline, bootstrap)) == 2


def test_a_store_that_was_lost_finds_what_was_sent(
    start: Start, pipeline: Pipeline, bootstrap: str, tmp_path: Path
) -> None:
    keeping = with_a_late_event(start, pipeline, bootstrap)
    keeping.amend()
    keeping.parts.store.close()
    (tmp_path / STORE).unlink()
    anew = start()
    anew.amend()
    assert anew.settled() == ["amended"]
    assert len(decisions_about(pipeline, bootstrap)) == 2


def _cut_before_the_commit(amender: Amender, producer: Producer, amendments: list[Amendment]) -> None:
    producer.begin_transaction()
    for each in amendments:
        producer.produce(amender._topics.decisions, value=each.message, partition=each.partition)
    assert producer.flush(30) == 0
    raise OSError("power cut")
