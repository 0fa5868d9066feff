"""A new topic counts as made when the leader of each of its partitions answers."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from feature_store.errors import BrokerError
from streams.kafka import TopicSpec, ensure_topics, topics
from streams.kafka.led import wait_until_led

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACES = [("events", 0), ("events", 1)]


def admin(*answers: dict[int, int]) -> Any:
    """One that says of partitions, each time it is asked, the errors in the next of ``answers``."""
    made, left = Mock(spec=AdminClient), list(answers)

    def asked(places: Iterable[Any], **_: object) -> dict[Any, Future[None]]:
        errors = left.pop(0) if len(left) > 1 else left[0]
        return {place: answer(errors.get(place.partition)) for place in places}

    made.list_offsets.side_effect = asked
    return made


def answer(error: int | None) -> Future[None]:
    found: Future[None] = Future()
    if error is None:
        found.set_result(None)
    else:
        found.set_exception(KafkaException(KafkaError(error)))
    return found


def test_what_nobody_leads_yet_is_asked_again_alone() -> None:
    not_yet = {0: KafkaError.NOT_LEADER_FOR_PARTITION, 1: KafkaError.UNKNOWN_TOPIC_OR_PART}
    kafka = admin(not_yet, {1: KafkaError.LEADER_NOT_AVAILABLE}, {})
    assert wait_until_led(kafka, PLACES, 60) == []
    asked = [sorted(place.partition for place in each.args[0]) for each in kafka.list_offsets.mock_calls]
    assert asked == [[0, 1], [0, 1], [1]]


def test_what_may_not_be_asked_about_is_not_waited_for() -> None:
    kafka = admin(dict.fromkeys((0, 1), KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert wait_until_led(kafka, PLACES, 60) == []
    assert kafka.list_offsets.call_count == 1


def test_it_is_not_waited_for_ever() -> None:
    assert wait_until_led(admin({0: KafkaError.LEADER_NOT_AVAILABLE}), PLACES, 0.1) == [("events", 0)]


def test_topics_that_nobody_leads_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = admin({1: KafkaError.LEADER_NOT_AVAILABLE})
    kafka.list_topics.return_value = Mock(topics={}, brokers={1: None})
    kafka.create_topics.return_value = {"events": answer(None)}
    monkeypatch.setattr(topics, "admin_of", lambda _bootstrap: kafka)
    monkeypatch.setattr(topics, "TIMEOUT_S", 0.1)
    with pytest.raises(BrokerError, match=r"events\[1\]: made, but led by no broker"):
        ensure_topics("anywhere", [TopicSpec("events", 2)])
