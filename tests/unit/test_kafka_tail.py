"""What passes is asked again; what lasts is told at once; silence is told in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException

from feature_store.errors import BrokerError, StateError
from streams.kafka import tail
from streams.kafka.headers import headers_of
from streams.kafka.tail import at_end, watermarks

if TYPE_CHECKING:
    from confluent_kafka import Message, TopicPartition


class Answers:
    """Raises each of the codes once, then answers; the last one for ever where ``lasting``."""

    def __init__(self, *codes: int, lasting: bool = False) -> None:
        self._codes = list(codes)
        self._lasting = lasting

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        """As a consumer's."""
        del partition, timeout
        if self._codes:
            code = self._codes[0] if self._lasting else self._codes.pop(0)
            raise KafkaException(KafkaError(code))
        return 3, 7


class Broken:
    """A record with a header whose name is broken: the client tells of it once, and the next time crashes."""

    def __init__(self) -> None:
        self._asked = 0

    def headers(self) -> list[object]:
        """As a message's."""
        self._asked += 1
        if self._asked == 1:
            raise SystemError("returned a result with an exception set")
        assert self._asked < 0, "the process is gone"
        return []

    def set_headers(self, headers: list[object]) -> None:
        """As a message's: what it was given is what it has."""
        assert not headers
        self._asked = -1_000


def test_broken_headers_may_be_asked_for_again() -> None:
    message = cast("Message", Broken())
    assert [headers_of(message), headers_of(message)] == [None, None]


class Told:
    """What a consumer hears in place of a record."""

    def __init__(self, error: KafkaError) -> None:
        self._error = error

    def error(self) -> KafkaError:
        """As a message's."""
        return self._error

    def topic(self) -> None:
        """As a message's: this is about no topic."""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (KafkaError.FENCED_INSTANCE_ID, "whatever"),
        (KafkaError._FATAL, "Static consumer fenced by other consumer with same group.instance.id"),
    ],
)
def test_a_slot_that_is_used_twice_is_told_in_words(code: int, words: str) -> None:
    with pytest.raises(StateError, match=r"two run as one slot.*--slot of its own"):
        at_end(cast("Message", Told(KafkaError(code, words))))


def test_any_other_fatal_error_is_told_as_it_is() -> None:
    with pytest.raises(KafkaException):
        at_end(cast("Message", Told(KafkaError(KafkaError._FATAL, "something else"))))


def asked(answers: Answers) -> tuple[int, int]:
    return watermarks(cast("Consumer", answers), "t", 0)


def test_a_topic_whose_leader_just_changed_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_PAUSE_S", 0)
    passing = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError._UNKNOWN_PARTITION, KafkaError._TRANSPORT)
    assert asked(Answers(*passing, KafkaError._DESTROY_BROKER, KafkaError.OFFSET_NOT_AVAILABLE)) == (3, 7)


def test_what_lasts_is_raised_at_once() -> None:
    with pytest.raises(KafkaException):
        asked(Answers(KafkaError.TOPIC_AUTHORIZATION_FAILED))


def test_a_kafka_that_never_answers_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_TIMEOUT_S", -1)
    with pytest.raises(BrokerError, match=r"said nothing of t\[0\]"):
        asked(Answers(KafkaError.NOT_LEADER_FOR_PARTITION, lasting=True))
