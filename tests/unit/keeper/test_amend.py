"""Late events are decided again where whole windows say something else, and the decision is there once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.declaration.load import load_pipeline
from feature_store.units import to_text
from streams.kafka import KafkaError, KafkaException, plain_producer, read_to_end, transactional_producer
from streams.kafka.headers import headers_of
from streams.messages import Amended, Decision, PolicyDocument, Thresholds
from streams.messages.policy import policy_key
from tests.support.models import counting_model
from tests.unit.keeper.conftest import PIPELINE
from tests.unit.keeper.late import (
    BEFORE,
    CARD,
    COUNT,
    LATE,
    MODEL,
    Keeping,
    decisions_about,
    publish_model,
    write_late,
)
from tests.unit.keeper.written import MINUTE, START, remove_before, until
from training import releases
from training.keeper.amend import Amender
from training.keeper.queries import sql
from training.keeper.store import STORE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Producer
    from training.keeper.amend.settling import Amendment
    from training.keeper.parts import Parts

Start = Callable[..., Keeping]


@pytest.fixture
def config(tmp_path: Path, unique: str) -> Path:
    path = tmp_path / "pipeline.yaml"
    text = PIPELINE.format(name=unique)
    text = text.replace("alerts: ", f"policy: {unique}.policy, alerts: ")
    text = text.replace("  rows: {amount_eur", "  late: amend\n  lateness: 10m\n  rows: {amount_eur")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def pipeline(config: Path) -> Pipeline:
    return load_pipeline(config)


@pytest.fixture
def start(new_parts: Callable[..., Parts]) -> Iterator[Start]:
    """Start sink and amender as a fresh process would; the ones before are as good as killed."""
    running: list[Keeping] = []

    def begin(*declared: Pipeline) -> Keeping:
        if running:
            running[-1].sink.close()
        running.append(Keeping(new_parts(*declared)))
        return running[-1]

    yield begin
    if running:
        running[-1].sink.close()
    for each in running:
        each.amender.close()


def with_a_late_event(start: Start, pipeline: Pipeline, bootstrap: str) -> Keeping:
    """A keeper, the model that scored the event, and what its scorer wrote about it."""
    keeping = start()
    publish_model(keeping.parts)
    write_late(pipeline, bootstrap)
    return keeping


def test_a_late_event_whose_window_was_cut_is_decided_again(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    first = write_late(pipeline, bootstrap)
    keeping.parts.clock.observe(START + 400 * MINUTE)
    assert keeping.amend() == 1
    (partition, offset, replaced), (there, _, message) = decisions_about(pipeline, bootstrap)
    assert msgspec.json.decode(replaced, type=Decision).source == first.source
    amended = msgspec.json.decode(message, type=Decision)
    assert (there, amended.amends) == (
        partition,
        Amended(pipeline.topics.decisions, partition, offset, first.decided_at),
    )
    assert amended.score is not None
    assert amended.score > 0.9
    assert (amended.action, amended.model, amended.release) == ("decline", MODEL, 1)
    assert amended.decided_at == to_text(START + 400 * MINUTE)
    assert (amended.event_id, amended.source, amended.late) == (first.event_id, first.source, True)
    assert b'"amount":39.80' in message
    assert keeping.amend() == 0
    assert keeping.settled() == ["amended"]


def test_an_amended_decision_travels_as_the_one_it_replaces(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = with_a_late_event(start, pipeline, bootstrap)
    keeping.amend()
    *_, newest = read_to_end(bootstrap, pipeline.topics.decisions)
    assert newest.key() == CARD.encode()
    assert dict(headers_of(newest) or ()) == {"event_id": f"e0-{LATE}".encode(), "model": MODEL.encode()}


def test_the_store_counts_a_decision_once_and_keeps_the_amendment_beside_it(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = with_a_late_event(start, pipeline, bootstrap)
    keeping.amend()
    keeping.amend()
    store = keeping.parts.store
    assert store.execute("SELECT count(*) FROM decisions").fetchall() == [(LATE + 1,)]
    ((event, action, offset),) = store.execute(
        "SELECT event_id, action, replaced_offset FROM amendments"
    ).fetchall()
    assert (event, action) == (f"e0-{LATE}", "decline")
    assert store.execute(
        'SELECT event_id, action FROM decisions WHERE partition = 0 AND "offset" = $offset',
        {"offset": offset},
    ).fetchall() == [(event, "approve")]
    assert store.execute("SELECT action, late FROM scored WHERE source_offset = 9").fetchall() == [
        ("approve", True)
    ]


def test_the_same_features_are_no_news(start: Start, pipeline: Pipeline, bootstrap: str) -> None:
    keeping = start()
    publish_model(keeping.parts)
    write_late(pipeline, bootstrap, card_count_1h=float(BEFORE))
    keeping.amend()
    assert keeping.settled() == ["unchanged"]
    assert len(decisions_about(pipeline, bootstrap)) == 1


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"model": "gone"}, "model_gone"),
        ({"score": None, "model": None}, "no_score"),
        ({"policy_offset": 7}, "policy_gone"),
    ],
)
def test_what_cannot_be_scored_as_it_was_is_settled_with_the_reason(
    start: Start, pipeline: Pipeline, bootstrap: str, columns: dict[str, Any], reason: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    write_late(pipeline, bootstrap, **columns)
    keeping.amend()
    assert keeping.settled() == [reason]
    assert len(decisions_about(pipeline, bootstrap)) == 1


def test_a_decision_that_is_not_there_cannot_be_amended(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    write_late(pipeline, bootstrap, decided=False)
    keeping.amend()
    assert keeping.settled() == ["decision_gone"]
    assert decisions_about(pipeline, bootstrap) == []


def test_features_that_are_declared_otherwise_by_now_are_not_compared(
    start: Start, pipeline: Pipeline, bootstrap: str, config: Path
) -> None:
    config.write_text(config.read_text("utf-8").replace("windows: [1h]", "windows: [2h]"), encoding="utf-8")
    keeping = start(load_pipeline(config))
    keeping.parts.publisher.publish(*counting_model(pipeline, MODEL, COUNT), why="test")
    write_late(pipeline, bootstrap)
    keeping.amend()
    assert keeping.settled() == ["features_changed"]


def test_it_is_decided_under_the_policy_of_the_first_decision(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    publish_policies(pipeline, bootstrap, Thresholds(review=0.5), Thresholds(decline=0.5))
    write_late(pipeline, bootstrap, policy_offset=0)
    keeping.amend()
    _, (_, _, amended) = decisions_about(pipeline, bootstrap)
    assert msgspec.json.decode(amended, type=Decision).action == "review"


def test_what_a_canary_decided_is_amended_by_the_canary(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    canary = counting_model(pipeline, "m2", COUNT)
    keeping.parts.publisher.publish(*canary, why="test", step=releases.canary("m2", 0.5))
    write_late(pipeline, bootstrap, model="m2")
    keeping.amend()
    _, (_, _, amended) = decisions_about(pipeline, bootstrap)
    assert msgspec.json.decode(amended, type=Decision).model == "m2"


def test_a_policy_that_compaction_took_from_its_topic_is_in_the_store(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    keeping = start()
    publish_model(keeping.parts)
    document = msgspec.json.encode(policy_document(pipeline, Thresholds(review=0.5))).decode()
    noted = {"version": 1, "offset": 7, "made_at": "", "made_by": "", "why": "", "document": document}
    keeping.parts.store.execute(sql("add_policy"), noted)
    write_late(pipeline, bootstrap, policy_offset=7)
    keeping.amend()
    _, (_, _, amended) = decisions_about(pipeline, bootstrap)
    assert msgspec.json.decode(amended, type=Decision).action == "review"


@pytest.mark.kafka  # records are removed by hand, which the embedded broker does not do
def test_a_window_that_reaches_where_the_log_was_cut_off_is_not_whole(
    start: Start, pipeline: Pipeline, bootstrap: str
) -> None:
    write_late(pipeline, bootstrap)
    remove_before(bootstrap, pipeline.topics.features, 0, 1)
    keeping = start()
    publish_model(keeping.parts)
    keeping.amend()
    assert keeping.settled() == ["history_incomplete"]
    assert len(decisions_about(pipeline, bootstrap)) == 1


def test_a_pipeline_that_only_scores_amends_nothing(start: Start, pipeline: Pipeline, bootstrap: str) -> None:
    features = pipeline.features.model_copy(update={"late": "score"})
    keeping = start(pipeline.model_copy(update={"features": features}))
    write_late(pipeline, bootstrap)
    assert keeping.amend() == 0
    assert keeping.settled() == []


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

    monkeypatch.setattr("training.keeper.amend.worker.transactional_producer", unreachable_at_first)
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


def policy_document(pipeline: Pipeline, thresholds: Thresholds) -> PolicyDocument:
    return PolicyDocument(pipeline.name, 1, "2026-01-01T00:00:00Z", "test", "test", thresholds=thresholds)


def publish_policies(pipeline: Pipeline, bootstrap: str, *thresholds: Thresholds) -> None:
    """A document for each, at offsets from 0 on."""
    producer = plain_producer(bootstrap)
    for each in thresholds:
        value = msgspec.json.encode(policy_document(pipeline, each))
        producer.produce(pipeline.topics.policy, key=policy_key(pipeline.name), value=value, partition=0)
    assert producer.flush(30) == 0


def _cut_before_the_commit(amender: Amender, producer: Producer, amendments: list[Amendment]) -> None:
    producer.begin_transaction()
    for each in amendments:
        producer.produce(amender._topics.decisions, value=each.message, partition=each.partition)
    assert producer.flush(30) == 0
    raise OSError("power cut")
