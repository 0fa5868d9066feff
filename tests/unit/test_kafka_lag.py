from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.kafka import (
    GroupLag,
    Lag,
    TopicPartition,
    TopicSpec,
    ensure_topics,
    group_consumer,
    plain_producer,
)

if TYPE_CHECKING:
    from streams.broker import Broker


@pytest.mark.parametrize("broker", ["embedded_broker", pytest.param("apache_kafka", marks=pytest.mark.kafka)])
def test_lag_is_what_a_group_has_not_committed(
    broker: str, unique: str, request: pytest.FixtureRequest
) -> None:
    running: Broker = request.getfixturevalue(broker)
    bootstrap, topic, group = running.bootstrap, f"{unique}.events", f"{unique}.group"
    ensure_topics(bootstrap, [TopicSpec(topic, 2, 1)])
    lag = GroupLag(bootstrap, group, topic)
    assert lag() == {0: Lag(0, 0), 1: Lag(0, 0)}
    producer = plain_producer(bootstrap)
    for _ in range(5):
        producer.produce(topic, value=b"x", partition=1)
    producer.flush(30)
    assert lag() == {0: Lag(0, 0), 1: Lag(0, 5)}

    member = group_consumer(bootstrap, group)
    member.commit(offsets=[TopicPartition(topic, 1, 3)], asynchronous=False)
    found = lag()
    assert (found[1], found[1].records, found[0].records) == (Lag(3, 5), 2, 0)
    member.close()
    lag.close()
