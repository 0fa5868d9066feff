from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from feature_store.declaration.triggers import TriggerSpec
from feature_store.units import to_text
from streams.alerts import AlertSender
from streams.kafka import end_offsets, plain_producer, reader
from tests.unit.keeper.written import MINUTE, START, until, write_outcomes
from training.keeper.runs import Runs
from training.keeper.sink import Sink
from training.keeper.triggers import Triggers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts

HOUR = 60 * MINUTE


@pytest.fixture
def spec() -> TriggerSpec:
    return TriggerSpec.model_validate({"new_frauds": 3, "drift": True, "not_within": "6h"})


@pytest.fixture
def parts(new_parts: Callable[..., Parts], pipeline: Pipeline, spec: TriggerSpec) -> Parts:
    training = pipeline.training.model_copy(update={"triggers": spec})
    return new_parts(pipeline.model_copy(update={"training": training}))


@pytest.fixture
def runs(parts: Parts) -> Runs:
    return Runs(parts.store)


@pytest.fixture
def new_triggers(parts: Parts, runs: Runs) -> Iterator[Callable[[], Triggers]]:
    made: list[Triggers] = []

    def make() -> Triggers:
        made.append(Triggers(parts, runs, lambda: None))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def triggers(new_triggers: Callable[[], Triggers]) -> Triggers:
    return new_triggers()


@pytest.fixture
def sink(parts: Parts) -> Iterator[Sink]:
    sink = Sink(parts)
    yield sink
    sink.close()


def say(parts: Parts, sink: Sink, arrived: int, words: list[tuple[str, str, str]]) -> None:
    """Let outcomes (event, label, source) arrive, and be sunk."""
    said = [
        msgspec.json.encode(
            {"event_id": event, "label": label, "source": source, "observed_at": to_text(START)}
        )
        for event, label, source in words
    ]
    write_outcomes(parts.pipeline, parts.settings.bootstrap, said, arrived)
    ends = parts.ends()
    until(lambda: all(parts.progress.offsets().get(at, 0) >= end for at, end in ends.items()), sink.step)


def drifted(
    parts: Parts,
    triggers: Triggers,
    text: str = "PSI of score is 0.4",
    kind: str = "drift",
    subjects: str | None = None,
) -> None:
    """Raise an alert, and wait until the keeper has heard it."""
    sender = AlertSender(parts.settings.bootstrap, parts.pipeline, parts.clock, "test")
    sender.send(kind, text, {} if subjects is None else {"subjects": subjects}, wait_s=10)
    sender.close()
    heard(parts, triggers)


def heard(parts: Parts, triggers: Triggers) -> None:
    asking = reader(parts.settings.bootstrap)
    end = end_offsets(asking, parts.pipeline.topics.alerts)[0]
    asking.close()
    follower = triggers._drift
    assert follower is not None
    until(lambda: (follower.read or 0) >= end, lambda: threading.Event().wait(0.02), 3_000)


def asked(runs: Runs) -> list[tuple[str, int]]:
    return [(run.why, run.as_of) for run in runs.all()]


def end_all(runs: Runs) -> None:
    for run in runs.all():
        if run.state == "due":
            runs.end(run, "refused", "worse", None)


def frauds(*events: str) -> list[tuple[str, str, str]]:
    return [(event, "fraud", "chargeback") for event in events]


def test_enough_new_frauds_since_the_last_run_are_a_reason_but_not_within(
    parts: Parts, runs: Runs, triggers: Triggers, sink: Sink
) -> None:
    first = START + 10 * HOUR
    say(parts, sink, START + HOUR, frauds("a", "b", "c", "d"))
    end_of_night = runs.request("schedule", first)
    runs.end(end_of_night, "passed", None, None)
    say(
        parts,
        sink,
        first + HOUR,
        [*frauds("e", "f"), ("a", "fraud", "analyst"), ("g", "legitimate", "analyst")],
    )
    triggers.tick(first + 7 * HOUR)
    assert len(runs.all()) == 1  # "a" is no news, "g" no fraud
    say(parts, sink, first + 2 * HOUR, [*frauds("h"), ("h", "legitimate", "analyst")])
    triggers.tick(first + 8 * HOUR)
    assert len(runs.all()) == 1  # the analyst's word counts before a chargeback
    say(parts, sink, first + 3 * HOUR, frauds("i"))
    triggers.tick(first + 5 * HOUR)
    assert len(runs.all()) == 1  # not within six hours of the night's run
    triggers.tick(first + 9 * HOUR)
    assert asked(runs)[1:] == [("new_frauds", first + 9 * HOUR)]
    assert runs.all()[1].cause == f"3 frauds became known since {to_text(first)}"
    triggers.tick(first + 20 * HOUR)
    assert len(runs.all()) == 2  # one is yet to end
    end_all(runs)
    triggers.tick(first + 30 * HOUR)
    assert len(runs.all()) == 2  # nothing new since


def test_drills_neither_answer_nor_put_off_anything(
    parts: Parts, runs: Runs, triggers: Triggers, sink: Sink
) -> None:
    say(parts, sink, START + HOUR, frauds("a", "b", "c"))
    drifted(parts, triggers)
    for drill in (runs.request("command", START + 2 * HOUR, dry=True),
                  runs.request("command", START + 2 * HOUR, shuffle_labels=True)):  # fmt: skip
        runs.end(drill, "refused", "worse", None)
    triggers.tick(START + 3 * HOUR)
    assert asked(runs)[2:] == [("drift", START + 3 * HOUR)]


def test_a_drift_alert_is_answered_once_and_only_when_its_time_has_come(
    parts: Parts, runs: Runs, triggers: Triggers, new_triggers: Callable[[], Triggers]
) -> None:
    night = START + 3 * HOUR
    runs.end(runs.request("schedule", night), "passed", None, None)
    drifted(parts, triggers, kind="lag")
    triggers.tick(night + 7 * HOUR)
    assert len(runs.all()) == 1
    runs.end(runs.request("command", night + 8 * HOUR), "passed", None, None)
    drifted(parts, triggers)
    triggers.tick(night + 9 * HOUR)
    assert len(runs.all()) == 2  # not within six hours of the last one
    triggers.stop()
    restarted = new_triggers()  # which still knows of it
    restarted.tick(night + 15 * HOUR)
    assert asked(runs)[2:] == [("drift", night + 15 * HOUR)]
    assert "PSI of score is 0.4" in str(runs.all()[2].cause)
    end_all(runs)
    restarted.tick(night + 40 * HOUR)
    restarted.stop()
    new_triggers().tick(night + 60 * HOUR)
    assert len(runs.all()) == 3


def test_any_run_answers_the_drift_that_was_heard_before_it(
    parts: Parts, runs: Runs, triggers: Triggers
) -> None:
    drifted(parts, triggers)
    runs.end(runs.request("schedule", START), "passed", None, None)
    triggers.tick(START + 24 * HOUR)
    assert len(runs.all()) == 1


def test_a_drift_that_is_over_by_then_is_no_reason(parts: Parts, runs: Runs, triggers: Triggers) -> None:
    runs.end(runs.request("schedule", START), "passed", None, None)
    drifted(parts, triggers, "two of them", subjects="score,feature amount")
    drifted(parts, triggers, "the other", subjects="feature other")
    drifted(parts, triggers, kind="drift_cleared", subjects="feature other,score")
    triggers.tick(START + 7 * HOUR)
    assert [(run.why, str(run.cause)[:11]) for run in runs.all()][1:] == [("drift", "two of them")]
    end_all(runs)
    drifted(parts, triggers, "again", subjects="feature other")
    drifted(parts, triggers, kind="drift_cleared", subjects="feature other")
    triggers.tick(START + 20 * HOUR)
    assert len(runs.all()) == 2


def test_garbage_and_alerts_of_other_pipelines_are_no_reason(
    parts: Parts, runs: Runs, triggers: Triggers
) -> None:
    producer = plain_producer(parts.settings.bootstrap, client_id="vandal")
    other = {"pipeline": "another", "kind": "drift", "text": "", "raised_at": to_text(START)}
    for value in (b"\xff", b"[" * 100_000, b"{}", msgspec.json.encode(other)):
        producer.produce(parts.pipeline.topics.alerts, value=value)
    producer.flush(30)
    heard(parts, triggers)
    triggers.tick(START)
    assert runs.all() == []


def test_without_triggers_nothing_is_followed_and_no_run_is_asked_for(
    new_parts: Callable[..., Parts], pipeline: Pipeline
) -> None:
    parts = new_parts(pipeline)
    runs = Runs(parts.store)
    triggers = Triggers(parts, runs, lambda: None)
    triggers.start()
    triggers.tick(START + 24 * HOUR)
    triggers.stop()
    assert triggers._drift is None
    assert runs.all() == []
