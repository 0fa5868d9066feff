"""A member that leaves its group is waited for, but not for ever; nothing is assigned to it meanwhile."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any
from unittest.mock import Mock, call

import pytest
import structlog

from streams.kafka import Consumer, KafkaException, leave, stay


@pytest.fixture
def consumer() -> Any:
    found: Any = Mock(spec=Consumer)
    found.assignment.return_value = []
    return found


def test_a_client_gives_back_what_it_has_before_it_closes(consumer: Any) -> None:
    consumer.assignment.side_effect = [["some"], ["some"], []]
    assert leave(consumer)
    asked = [each for each in consumer.mock_calls if each != call.assignment()]
    assert asked == [call.unsubscribe(), call.poll(0.1), call.poll(0.1), call.poll(0.1), call.close()]


def test_what_it_was_given_and_has_not_heard_of_is_heard_before_it_closes(consumer: Any) -> None:
    assert leave(consumer)
    assert consumer.mock_calls == [call.unsubscribe(), call.poll(0.1), call.assignment(), call.close()]


def test_one_that_is_closed_already_is_closed_again(consumer: Any) -> None:
    consumer.unsubscribe.side_effect = RuntimeError("Consumer closed")
    assert leave(consumer)
    consumer.unsubscribe.side_effect = KafkaException("not subscribed")
    assert leave(consumer)
    assert consumer.close.call_count == 2


def test_one_that_does_not_return_is_given_up_and_told_of(consumer: Any) -> None:
    never = threading.Event()
    consumer.close.side_effect = lambda: never.wait(60)
    with structlog.testing.capture_logs() as said:
        assert not leave(consumer, within_s=0.01)
    assert [line["event"] for line in said] == ["group_not_left"]
    never.set()


def test_one_that_stays_is_neither_closed_nor_freed() -> None:
    consumer: Any = Mock(spec=Consumer)
    there = weakref.ref(consumer)
    stay(consumer)
    consumer.close.assert_not_called()
    del consumer
    gc.collect()
    assert there() is not None
