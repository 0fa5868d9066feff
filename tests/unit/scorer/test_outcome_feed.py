"""Reading what became known: what a step takes, kept until it is applied, of no other's partition."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from feature_store.errors import BrokerError, StateError
from streams.scorer import outcomes
from streams.scorer.outcomes import OutcomeFeed
from tests.support.outcomes import counting_frauds, delta
from tests.support.payments import private_pipeline

if TYPE_CHECKING:
    from pathlib import Path


class Arrived:
    """A message of the topic, or an error."""

    def __init__(
        self, partition: int | None, offset: int | None, value: bytes | None, error: int | None = None
    ) -> None:
        self._at = partition, offset
        self._value = value
        self._error = error

    def error(self) -> KafkaError | None:
        return None if self._error is None else KafkaError(self._error)

    def topic(self) -> str:
        return "entity-outcomes"

    def partition(self) -> int | None:
        return self._at[0]

    def offset(self) -> int | None:
        return self._at[1]

    def value(self) -> bytes | None:
        return self._value


class Client:
    """A consumer that gives what it is told; every partition of its topic keeps offsets 3 to 50."""

    def __init__(self) -> None:
        self.ready: list[Arrived] = []
        self.assigned: dict[int, int] = {}

    def list_topics(self, topic: str, **_: Any) -> Any:
        found = SimpleNamespace(error=None, partitions=dict.fromkeys(range(4)))
        return SimpleNamespace(topics={topic: found})

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return 3, 50

    def incremental_assign(self, places: list[Any]) -> None:
        self.assigned |= {place.partition: place.offset for place in places}

    def incremental_unassign(self, places: list[Any]) -> None:
        for place in places:
            del self.assigned[place.partition]

    def consume(self, count: int, timeout: float) -> list[Arrived]:
        assert timeout == 0
        given, self.ready = self.ready[:count], self.ready[count:]
        return given


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client()
    monkeypatch.setattr(outcomes, "reader", lambda _, **__: client)
    return client


@pytest.fixture
def alerts() -> list[Any]:
    return []


@pytest.fixture
def feed(client: Client, alerts: list[Any], tmp_path: Path) -> OutcomeFeed:
    return OutcomeFeed(counting_frauds(tmp_path)[1], "nowhere", lambda *alert: alerts.append(alert))


def offsets(feed: OutcomeFeed) -> list[tuple[int, int]]:
    return [(found.partition, found.offset) for found in feed.poll()]


def test_what_was_polled_comes_again_until_it_is_applied(feed: OutcomeFeed, client: Client) -> None:
    feed.assign({0: 0, 1: 20})
    assert client.assigned == {0: 3, 1: 20}
    client.ready = [Arrived(0, 3, delta(1, 1)), Arrived(1, 20, delta(2, 2))]
    assert offsets(feed) == [(0, 3), (1, 20)]
    client.ready = [Arrived(0, 7, delta(3, 1))]
    assert offsets(feed) == [(0, 3), (1, 20), (0, 7)]
    feed.applied(2)
    assert offsets(feed) == [(0, 7)]
    feed.applied(1)
    assert offsets(feed) == []


def test_a_step_gets_no_more_than_it_can_take(
    feed: OutcomeFeed, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "_AT_ONCE", 3)
    feed.assign({0: 0})
    client.ready = [Arrived(0, n, delta(n, n)) for n in range(3, 8)]
    assert offsets(feed) == offsets(feed) == [(0, 3), (0, 4), (0, 5)]
    feed.applied(3)
    assert offsets(feed) == [(0, 6), (0, 7)]


def test_a_partition_handed_over_takes_what_was_read_of_it_along(feed: OutcomeFeed, client: Client) -> None:
    feed.assign({0: 0, 1: 0})
    client.ready = [Arrived(0, 3, delta(1, 1)), Arrived(1, 3, delta(1, 1))]
    assert len(feed.poll()) == 2
    feed.drop([0, 5])
    assert client.assigned == {1: 3}
    client.ready = [Arrived(0, 4, delta(2, 2))]
    assert offsets(feed) == [(1, 3)]
    feed.assign({0: 3})
    client.ready = [Arrived(0, 3, delta(1, 1)), Arrived(0, 3, delta(1, 1))]
    assert offsets(feed) == [(1, 3), (0, 3)]


def test_what_counts_nowhere_at_the_end_is_passed_with_the_next_step(
    feed: OutcomeFeed, client: Client
) -> None:
    feed.assign({0: 0})
    end = KafkaError._PARTITION_EOF
    client.ready = [Arrived(0, 3, delta(1, 1)), Arrived(0, 5, None, end), Arrived(0, 5, None, end)]
    assert [(found.offset, found.values is None) for found in feed.poll()] == [(3, False), (4, True)]
    client.ready = [Arrived(0, 5, delta(2, 2)), Arrived(0, 6, None, end), Arrived(1, 9, None, end)]
    assert offsets(feed) == [(0, 3), (0, 4), (0, 5)]


def test_a_malformed_one_is_told_of_and_its_offset_counts(
    feed: OutcomeFeed, client: Client, alerts: list[Any]
) -> None:
    feed.assign({0: 0})
    client.ready = [Arrived(0, 3, b"{"), Arrived(0, 4, None), Arrived(0, 5, delta(1, 1))]
    assert [(found.offset, found.values is None) for found in feed.poll()] == [
        (3, True),
        (4, True),
        (5, False),
    ]
    ((kind, text, details),) = alerts
    assert kind == "entity_outcome_refused"
    assert "unit-entity_outcomes/0 offset 3: not an outcome delta" in text
    assert "1 more" in text
    assert details == {"refused": 2}


def test_one_that_does_not_say_to_whom_it_belongs_is_applied_and_told_of(
    feed: OutcomeFeed, client: Client, alerts: list[Any]
) -> None:
    feed.assign({0: 0})
    nobody = delta(1, 1, entity={"customer_id": None})
    client.ready = [Arrived(0, 3, nobody), Arrived(0, 4, delta(2, 2, entity={}))]
    assert [found.values is None for found in feed.poll()] == [False, False]
    ((kind, text, details),) = alerts
    assert (kind, details) == ("entity_outcome_older", {"older": 1})
    assert "unit-entity_outcomes: 1 outcomes were sent before" in text
    feed.poll()
    assert len(alerts) == 1


def test_a_topic_that_was_made_anew_is_refused(feed: OutcomeFeed) -> None:
    with pytest.raises(
        StateError, match="ends at offset 50, but the feature log says that outcomes up to 51"
    ):
        feed.assign({0: 51})


def test_a_topic_with_fewer_partitions_than_the_events_is_refused(feed: OutcomeFeed) -> None:
    with pytest.raises(BrokerError, match="'unit-entity_outcomes' has 4 partitions; it needs as many"):
        feed.assign({3: 0, 4: 0})


def test_an_error_that_will_not_pass_ends_the_scorer(feed: OutcomeFeed, client: Client) -> None:
    feed.assign({0: 0})
    client.ready = [Arrived(0, 0, None, KafkaError._TRANSPORT)]
    assert feed.poll() == []
    for place in (0, None):  # some errors are of no partition
        client.ready = [Arrived(place, place, None, KafkaError._AUTO_OFFSET_RESET)]
        with pytest.raises(KafkaException):
            feed.poll()


def test_without_features_of_outcomes_nothing_is_read(tmp_path: Path) -> None:
    counts = {"entity": ["customer_id", "card_id"], "windows": ["1h"], "count": True}
    _, pipeline = private_pipeline(tmp_path, "unit", features={"windows": [counts]})
    feed = OutcomeFeed(pipeline, "nowhere", lambda *_: None)
    feed.assign({0: 0})
    assert feed.poll() == []
    feed.drop([0])
    feed.close()
