"""A follower that starts hears that it is to stop, and does not wait for ever for a silent Kafka."""

from __future__ import annotations

import threading

import pytest

from feature_store.errors import BrokerError
from streams import following
from streams.following import StoppedAtStartError, TopicFollower


class Follower(TopicFollower):
    """Takes nothing: nothing ever comes."""

    def _feed(self, key: bytes | None, value: bytes | None, offset: int) -> bool:
        raise AssertionError((key, value, offset))

    def _take(self) -> int | None:
        raise AssertionError


class Silent:
    """A consumer of a Kafka that went away after it told where the topic ends."""

    def __init__(self) -> None:
        self.closed = False
        self.asked = threading.Event()

    def assign(self, partitions: object) -> None:
        """Nothing to remember."""

    def poll(self, timeout: float) -> None:
        """Nothing comes."""
        del timeout
        self.asked.set()

    def close(self) -> None:
        """Remember that it was."""
        self.closed = True


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Silent:
    consumer = Silent()
    monkeypatch.setattr(following, "reader", lambda *_, **__: consumer)
    monkeypatch.setattr(following, "start_offsets", lambda *_: {0: 0})
    monkeypatch.setattr(following, "end_offsets", lambda *_: {0: 5})
    return consumer


def test_a_start_is_given_up_when_the_process_is_told_to_stop(silent: Silent) -> None:
    told = threading.Event()

    def tell() -> None:
        silent.asked.wait(30)
        told.set()

    teller = threading.Thread(target=tell)
    teller.start()
    with pytest.raises(StoppedAtStartError):
        Follower("nowhere:1", "t", "t").start(told)
    teller.join()
    assert silent.closed


def test_a_start_is_given_up_when_kafka_falls_silent(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_SILENCE_S", -1)
    with pytest.raises(BrokerError, match="t: Kafka sent nothing"):
        Follower("nowhere:1", "t", "t").start()
    assert silent.closed
