"""Partitions as every Kafka client computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from streams.kafka import TopicSpec, ensure_topics, plain_producer
from streams.sources.partitions import partitions_of

if TYPE_CHECKING:
    from streams.broker import Broker
    from streams.kafka import Message

# The vectors of Kafka's own tests (org.apache.kafka.common.utils.UtilsTest) as toPositive(murmur2(key)).
JAVA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
KEYS = [
    *JAVA, "", "a", "ab", "abcd", "abcde", "Zürich", "ключ", "東京" * 40, *(f"c{n}" for n in range(500)),
]  # fmt: skip


@pytest.mark.parametrize("partitions", [1, 4, 7, 10_000])
def test_the_vectors_of_kafka_itself(partitions: int) -> None:
    found = partitions_of(pa.array(list(JAVA)), partitions).tolist()
    assert found == [(hashed & 0x7FFFFFFF) % partitions for hashed in JAVA.values()]


def test_a_real_client_sends_every_key_there(embedded_broker: Broker, unique: str) -> None:
    ensure_topics(embedded_broker.bootstrap, [TopicSpec(unique, 7)])
    producer = plain_producer(embedded_broker.bootstrap)
    sent: dict[str, int | None] = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        sent[(message.key() or b"").decode()] = message.partition()

    for key in KEYS:
        producer.produce(unique, b"{}", key.encode(), on_delivery=delivered)
    assert producer.flush(30) == 0
    assert dict(zip(KEYS, partitions_of(pa.array(KEYS), 7).tolist(), strict=True)) == sent


def test_a_slice_of_keys_is_its_own_keys() -> None:
    keys = pa.array(KEYS)
    assert partitions_of(keys.slice(5, 9), 7).tolist() == partitions_of(keys, 7)[5:14].tolist()
    assert partitions_of(keys.slice(0, 0), 7).tolist() == []


def test_a_key_that_is_null_has_no_partition() -> None:
    with pytest.raises(ValueError, match="without a key"):
        partitions_of(pa.array(["a", None]), 4)
