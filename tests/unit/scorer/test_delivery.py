"""Steps without transactions: what is sent before what, and what a failure leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from feature_store.errors import StateError
from streams.kafka.refused import AccessError
from streams.scorer.delivery import Deliveries
from streams.scorer.records import Decided, LogMessage, Position, Refused, SourceRecord, StepResult
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Consumer, Producer


@dataclass
class Sent:
    """A record as its delivery report shows it."""

    topic: str
    at: int
    place: int

    def partition(self) -> int:
        return self.at

    def offset(self) -> int:
        return self.place


@dataclass
class Kafka:
    """Producer and consumer in one: what happened, in order."""

    happened: list[str] = field(default_factory=list)
    fails: dict[str, KafkaError] = field(default_factory=dict)
    keeps: bool = False
    """Whether nothing is ever confirmed."""
    refuses: list[KafkaError] = field(default_factory=list)
    held: list[int] = field(default_factory=lambda: [0])
    waiting: list[tuple[Any, Sent]] = field(default_factory=list)
    handover: bool = False
    """Whether one is under way; it goes on where the client is polled, and takes partition 1."""

    def produce(self, topic: str, *, partition: int, on_delivery: Any, **_: Any) -> None:
        self.happened.append(topic)
        self.waiting.append((on_delivery, Sent(topic, partition, len(self.happened) - 1)))

    def flush(self, _: float) -> int:
        if self.keeps:
            return len(self.waiting)
        self.happened.append("confirmed")
        while self.waiting:
            heard, sent = self.waiting.pop(0)
            heard(self.fails.get(sent.topic), sent)
        return 0

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("events", partition) for partition in self.held]

    def poll(self, _: float) -> None:
        if self.handover:
            self.handover = False
            self.held.remove(1)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool = True) -> None:
        if self.handover:
            raise KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS))
        if self.refuses:
            raise KafkaException(self.refuses.pop(0))
        notes = " ".join(f"{each.offset}/{each.metadata}" for each in offsets)
        self.happened.append(f"{'follow' if asynchronous else 'note'} {notes}")


def deliveries(kafka: Kafka, pipeline: Pipeline) -> Deliveries:
    """At a moment that does not pass."""
    return Deliveries(cast("Producer", kafka), cast("Consumer", kafka), pipeline, lambda: 100.0)


def step(positions: dict[int, Position] | None = None) -> StepResult:
    record = SourceRecord(0, 7, b"k", b"{}", 0, 0)
    return StepResult(
        decided=[Decided(record, "e", None, b"{}")],
        refused=[Refused(record._replace(offset=8), "not_json", "so it is")],
        log=[LogMessage(0, b"log")],
        positions={0: Position(9, 4, 2)} if positions is None else positions,
    )


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "unit")[1]


@pytest.fixture
def names(pipeline: Pipeline) -> tuple[str, str, str]:
    return pipeline.topics.decisions, pipeline.topics.dead_letters, pipeline.topics.features


def test_the_log_is_sent_when_all_else_is_confirmed_and_offsets_follow(
    pipeline: Pipeline, names: tuple[str, str, str]
) -> None:
    kafka = Kafka()
    decisions, dead_letters, features = names
    assert deliveries(kafka, pipeline).commit(step()) == {0: 3}
    order = [decisions, dead_letters, "confirmed", features, "confirmed", "follow 9/outcomes=4,claim=2"]
    assert kafka.happened == order


def test_offsets_follow_now_and_then_for_what_is_still_held_and_at_last_for_all(
    pipeline: Pipeline,
) -> None:
    kafka = Kafka()
    delivered = deliveries(kafka, pipeline)
    delivered.commit(step())
    delivered.commit(step({0: Position(11), 1: Position(5)}))
    told = [each for each in kafka.happened if each.startswith(("follow", "note"))]
    assert told == ["follow 9/outcomes=4,claim=2"]
    delivered.finish()
    assert kafka.happened[-1] == "note 11/outcomes=0"  # partition 1 is somebody else's by now


def test_offsets_of_the_last_steps_follow_where_no_more_come(pipeline: Pipeline) -> None:
    kafka, seconds = Kafka(), [100.0]
    delivered = Deliveries(cast("Producer", kafka), cast("Consumer", kafka), pipeline, lambda: seconds[0])
    delivered.commit(step())
    delivered.commit(step({0: Position(11)}))
    for now in (100.5, 101.0, 102.0, 103.0):
        seconds[0] = now
        delivered.turn()
    told = [each for each in kafka.happened if each.startswith("follow")]
    assert told == ["follow 9/outcomes=4,claim=2", "follow 11/outcomes=0"]


def test_offsets_that_a_handover_refused_are_told_again(pipeline: Pipeline) -> None:
    kafka, seconds = Kafka(), [100.0]
    delivered = Deliveries(cast("Producer", kafka), cast("Consumer", kafka), pipeline, lambda: seconds[0])
    delivered.commit(step())
    delivered.told(KafkaError(KafkaError.REBALANCE_IN_PROGRESS), [TopicPartition("events", 0, 9)])
    seconds[0] = 102.0
    delivered.turn()
    delivered.told(None, [TopicPartition("events", 0, 9)])
    seconds[0] = 104.0
    delivered.turn()
    assert [each for each in kafka.happened if "9/" in each] == 2 * ["follow 9/outcomes=4,claim=2"]


def test_at_the_end_the_group_is_told_what_it_has_not_confirmed_until_it_takes_it(pipeline: Pipeline) -> None:
    kafka = Kafka()
    delivered = deliveries(kafka, pipeline)
    delivered.commit(step())
    kafka.refuses = [KafkaError(KafkaError.ILLEGAL_GENERATION), KafkaError(KafkaError.REBALANCE_IN_PROGRESS)]
    delivered.finish()
    assert kafka.happened[-1] == "note 9/outcomes=4,claim=2"
    kafka = Kafka(held=[0, 1])
    delivered = deliveries(kafka, pipeline)
    delivered.commit(step({0: Position(9), 1: Position(5)}))
    kafka.handover = True
    delivered.finish()
    assert kafka.happened[-1] == "note 9/outcomes=0"
    kafka = Kafka()
    delivered = deliveries(kafka, pipeline)
    delivered.commit(step())
    delivered.told(None, [TopicPartition("events", 0, 9)])
    kafka.happened.clear()
    delivered.finish()
    assert kafka.happened == []


def test_what_another_has_claimed_meanwhile_is_not_told_the_group_again(pipeline: Pipeline) -> None:
    """A partition that was lost and regained: its last steps here are older than what the group has."""
    kafka = Kafka()
    delivered = deliveries(kafka, pipeline)
    delivered.commit(step())
    delivered.commit(step({0: Position(11, 0, 2)}))
    delivered.claim({0: b"claim"}, {0: Position(40, 0, 4)})
    delivered.finish()
    assert [each for each in kafka.happened if " 11/" in each] == []


@pytest.mark.parametrize("at", [0, 1])
def test_a_decision_that_is_not_delivered_ends_the_process_before_the_log_is_sent(
    at: int, pipeline: Pipeline, names: tuple[str, str, str]
) -> None:
    kafka = Kafka(fails={names[at]: KafkaError(KafkaError._MSG_TIMED_OUT)})
    with pytest.raises(StateError, match="not delivered"):
        deliveries(kafka, pipeline).commit(step())
    assert names[2] not in kafka.happened


def test_a_log_that_is_not_delivered_ends_the_process_before_offsets_follow(
    pipeline: Pipeline, names: tuple[str, str, str]
) -> None:
    kafka = Kafka(fails={names[2]: KafkaError(KafkaError._MSG_TIMED_OUT)})
    with pytest.raises(StateError, match="not delivered"):
        deliveries(kafka, pipeline).commit(step())
    assert kafka.happened[-1] == "confirmed"


def test_what_is_not_confirmed_in_time_ends_the_process(pipeline: Pipeline) -> None:
    with pytest.raises(StateError, match="did not confirm 2 records"):
        deliveries(Kafka(keeps=True), pipeline).commit(step())


def test_a_topic_that_may_not_be_written_is_named(pipeline: Pipeline, names: tuple[str, str, str]) -> None:
    kafka = Kafka(fails={names[0]: KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)})
    with pytest.raises(AccessError):
        deliveries(kafka, pipeline).commit(step())


def test_a_claim_is_noted_in_the_group_before_it_is_written(
    pipeline: Pipeline, names: tuple[str, str, str]
) -> None:
    kafka = Kafka(refuses=[KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)])
    places = deliveries(kafka, pipeline).claim({0: b"claim"}, {0: Position(9, 4, 3)})
    assert kafka.happened == ["note 9/outcomes=4,claim=3", names[2], "confirmed"]
    assert places == {0: 1}


def test_after_a_take_over_the_group_is_told_where_the_log_stands(pipeline: Pipeline) -> None:
    kafka = Kafka()
    deliveries(kafka, pipeline).stand({0: Position(40, 2, 3)})
    deliveries(kafka, pipeline).stand({})
    assert kafka.happened == ["follow 40/outcomes=2,claim=3"]


def test_whom_the_group_has_given_up_claims_nothing(pipeline: Pipeline) -> None:
    kafka = Kafka(refuses=[KafkaError(KafkaError.ILLEGAL_GENERATION)])
    with pytest.raises(StateError, match="did not take the claim"):
        deliveries(kafka, pipeline).claim({0: b"claim"}, {0: Position(9, 4, 3)})
    assert kafka.happened == []
