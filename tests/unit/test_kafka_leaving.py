"""A member that leaves its group is waited for, but not for ever."""

from __future__ import annotations

import threading
from typing import Any
from unittest.mock import Mock

import structlog

from streams.kafka import Consumer, leave


def test_a_client_that_closes_has_left() -> None:
    consumer: Any = Mock(spec=Consumer)
    assert leave(consumer)
    consumer.close.assert_called_once_with()


def test_one_that_does_not_return_is_given_up_and_told_of() -> None:
    never = threading.Event()
    consumer: Any = Mock(spec=Consumer)
    consumer.close.side_effect = lambda: never.wait(60)
    with structlog.testing.capture_logs() as said:
        assert not leave(consumer, within_s=0.01)
    assert [line["event"] for line in said] == ["group_not_left"]
    never.set()
