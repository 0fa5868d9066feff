"""Runs outlive their keeper, and wait for Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from feature_store.errors import BrokerError
from streams.kafka import KafkaException
from tests.unit.keeper.trainings.working import of, pause
from tests.unit.keeper.written import START, until
from training.keeper.runs import Run, Runs
from training.keeper.trainings import Trainings

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.keeper.parts import Parts


def test_an_interrupted_run_ends_with_its_keeper_and_is_taken_up_by_the_next(
    parts: Parts, runs: Runs, trainer: Callable[..., list[str]]
) -> None:
    trainings = Trainings(parts, runs, trainer("hang"))
    run = runs.request("command", START)
    trainings.start()
    pid_file = parts.run_folder(run.run_id) / "trainer.pid"
    until(lambda: pid_file.exists() and bool(pid_file.read_text()), pause)
    child = psutil.Process(int(pid_file.read_text()))
    trainings.stop()
    assert not child.is_running()
    assert of(runs, run).state == "running"
    restarted = Runs(parts.store)
    assert restarted.due() == of(runs, run)
    following = Trainings(parts, restarted, trainer("pass"))
    following.start()
    until(lambda: of(restarted, run).state == "passed", pause)
    following.stop()
    assert of(restarted, run).attempts == 2


def test_a_run_that_was_published_before_the_keeper_died_is_not_published_again(
    train: Callable[..., Run], parts: Parts, runs: Runs, trainer: Callable[..., list[str]]
) -> None:
    run = train("pass")
    parts.store.execute("UPDATE runs SET state = 'running'")
    restarted = Runs(parts.store)
    trainings = Trainings(parts, restarted, trainer("crash"))
    trainings.start()
    until(lambda: of(restarted, run).state == "passed", pause)
    trainings.stop()
    release = parts.publisher.read().release
    assert release is not None
    assert release.epoch == 1


def test_a_run_waits_while_kafka_does_not_answer(
    parts: Parts, runs: Runs, trainer: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.keeper.trainings._RETRY_S", 0.01)
    answers = [BrokerError("no answer"), KafkaException("nor now"), parts.publisher.read()]

    def read() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(parts.publisher, "read", read)
    trainings = Trainings(parts, runs, trainer("refuse"))
    run = runs.request("command", START)
    trainings.start()
    until(lambda: of(runs, run).state == "refused", pause)
    trainings.stop()
    assert answers == []


def test_a_thread_that_broke_is_noticed(
    parts: Parts, runs: Runs, trainer: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.publisher, "read", lambda: 1 / 0)
    trainings = Trainings(parts, runs, trainer("refuse"))
    runs.request("command", START)
    trainings.start()
    until(lambda: trainings._error is not None, pause)
    trainings.stop()
    with pytest.raises(ZeroDivisionError):
        trainings.check()
