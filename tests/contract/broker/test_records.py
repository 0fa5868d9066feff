"""Records go in and come out: order, content, limits, offsets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from tests.contract.broker.toolkit import PATIENCE, eventually, polled, refused, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from tests.contract.broker.toolkit import Kafka

NO_DELETION = "records leave by retention only"
NOW = time.time_ns() // 1_000_000 - 60_000  # ms; recent, or retention would take it


class TestContent:
    def test_order_keys_headers_and_timestamps_come_back(self, kafka: Kafka) -> None:
        topic = kafka.topic()
        producer = kafka.producer()
        for i in range(100):
            headers: list[tuple[str, str | bytes | None]]
            headers = [("n", str(i).encode()), ("empty", b""), ("none", None)]
            producer.produce(topic, f"v{i}", f"k{i}", 0, timestamp=NOW + i, headers=headers)
        assert producer.flush(PATIENCE) == 0
        messages = kafka.read(topic)
        assert [m.offset() for m in messages] == list(range(100))
        for i, message in enumerate(messages):
            assert (message.key(), message.value()) == (f"k{i}".encode(), f"v{i}".encode())
            assert message.timestamp()[1] == NOW + i
            assert message.headers() == [("n", str(i).encode()), ("empty", b""), ("none", None)]

    def test_null_key_and_value_are_not_empty_ones(self, kafka: Kafka) -> None:
        topic = kafka.topic()
        producer = kafka.producer()
        producer.produce(topic, None, b"", 0)
        producer.produce(topic, b"", None, 0)
        producer.flush(PATIENCE)
        assert [(m.key(), m.value()) for m in kafka.read(topic)] == [(b"", None), (None, b"")]

    @pytest.mark.parametrize("codec", ["none", "gzip", "lz4", "snappy", "zstd"])
    def test_compression_passes_through(self, kafka: Kafka, codec: str) -> None:
        topic = kafka.topic()
        values = [f"{i}".encode() * 50 for i in range(300)]
        kafka.send(topic, values, compression_type=codec, linger_ms=50)
        assert kafka.values(topic) == values

    def test_a_key_has_its_partition_and_order_within(self, kafka: Kafka) -> None:
        topic = kafka.topic(partitions=4)
        producer = kafka.producer(partitioner="murmur2_random")
        for i in range(400):
            producer.produce(topic, str(i), f"k{i % 20}")
        producer.flush(PATIENCE)
        consumer = kafka.consumer()
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(4)])
        seen: dict[bytes, list[tuple[int, int]]] = {}
        for message in polled(consumer):
            key, value = message.key() or b"", int(message.value() or b"")
            seen.setdefault(key, []).append((message.partition() or 0, value))
            if sum(map(len, seen.values())) == 400:
                break
        assert len(seen) == 20
        for found in seen.values():
            assert len({partition for partition, _ in found}) == 1
            assert [value for _, value in found] == sorted(value for _, value in found)

    def test_acks_0_reaches_the_log(self, kafka: Kafka) -> None:
        topic = kafka.topic()
        kafka.send(topic, [b"a", b"b"], acks=0)
        eventually(lambda: kafka.values(topic) == [b"a", b"b"])


class TestLimits:
    def test_a_huge_message_is_refused_and_the_next_is_not(self, kafka: Kafka) -> None:
        topic = kafka.topic(max_message_bytes="10000")
        results: list[int] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            results.append(error.code() if error else 0)

        producer = kafka.producer()
        producer.produce(topic, b"x" * 20_000, partition=0, on_delivery=delivered)
        producer.flush(PATIENCE)
        producer.produce(topic, b"small", partition=0, on_delivery=delivered)
        producer.flush(PATIENCE)
        assert results == [KafkaError.MSG_SIZE_TOO_LARGE, 0]

    def test_a_backlog_is_fetched_whole_in_small_bites(self, kafka: Kafka) -> None:
        topic = kafka.topic()
        values = [b"%06d" % i + b"x" * 500 for i in range(4000)]
        kafka.send(topic, values, linger_ms=5, batch_size=50_000)
        messages = kafka.read(
            topic, max_partition_fetch_bytes=10_000, fetch_max_bytes=20_000, message_max_bytes=20_000
        )
        assert [m.value() for m in messages] == values

    def test_a_batch_beyond_the_fetch_limit_still_comes(self, kafka: Kafka) -> None:
        topic = kafka.topic()
        kafka.send(topic, [b"y" * 200_000, b"z"])
        messages = kafka.read(
            topic, max_partition_fetch_bytes=1000, fetch_max_bytes=1000, message_max_bytes=1000
        )
        assert [len(m.value() or b"") for m in messages] == [200_000, 1]

    def test_an_unknown_topic_is_an_error_not_a_new_topic(self, kafka: Kafka) -> None:
        name = kafka.name()
        consumer = kafka.consumer(allow_auto_create_topics=True)
        consumer.subscribe([name])
        error = next(polled(consumer)).error()
        assert error is not None
        assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        assert name not in kafka.admin.list_topics().topics


class TestOffsets:
    def test_watermarks(self, kafka: Kafka) -> None:
        topic = kafka.topic()
        partition = TopicPartition(topic, 0)
        consumer = kafka.consumer()
        assert consumer.get_watermark_offsets(partition, PATIENCE) == (0, 0)
        kafka.send(topic, [b"a", b"b", b"c"])
        assert consumer.get_watermark_offsets(partition, PATIENCE) == (0, 3)

    @pytest.mark.parametrize("codec", ["none", "lz4"])
    def test_offsets_for_times(self, kafka: Kafka, codec: str, gap: Callable[[str], None]) -> None:
        gap("offsets are not found by time: batches are not opened")
        topic = kafka.topic()
        producer = kafka.producer(linger_ms=50, compression_type=codec)
        for i in range(10):
            producer.produce(topic, b"v" * 100, partition=0, timestamp=NOW + 1000 * i)
        producer.flush(PATIENCE)
        consumer = kafka.consumer()

        def at(timestamp: int) -> int:
            wanted = [TopicPartition(topic, 0, timestamp)]
            return int(consumer.offsets_for_times(wanted, PATIENCE)[0].offset)

        assert at(NOW - 1) == 0
        assert at(NOW + 4000) == 4
        assert at(NOW + 4001) == 5
        assert at(NOW + 9001) == -1

    def test_deleted_records_are_out_of_range(self, kafka: Kafka, gap: Callable[[str], None]) -> None:
        gap(NO_DELETION)
        topic = kafka.topic()
        for i in range(6):
            kafka.send(topic, [b"%d" % i])
        partition = TopicPartition(topic, 0, 4)
        deleted = wait_for(kafka.admin.delete_records([partition])[partition])
        assert deleted.low_watermark == 4
        consumer = kafka.consumer(auto_offset_reset="error")
        assert consumer.get_watermark_offsets(partition, PATIENCE) == (4, 6)
        consumer.assign([TopicPartition(topic, 0, 1)])
        error = next(polled(consumer)).error()
        assert error is not None
        assert error.code() == KafkaError._AUTO_OFFSET_RESET
        assert [m.offset() for m in kafka.read(topic, start=1)] == [4, 5]

    def test_deleting_beyond_the_end_is_refused(self, kafka: Kafka, gap: Callable[[str], None]) -> None:
        gap(NO_DELETION)
        topic = kafka.topic()
        kafka.send(topic, [b"a"])
        partition = TopicPartition(topic, 0, 5)
        with refused(KafkaError.OFFSET_OUT_OF_RANGE):
            wait_for(kafka.admin.delete_records([partition])[partition])

    def test_a_waiting_fetch_is_answered_by_the_next_record(self, kafka: Kafka) -> None:
        topic = kafka.topic()
        kafka.send(topic, [b"first"])
        consumer = kafka.consumer(fetch_wait_max_ms=55_000)  # longer than patience
        consumer.assign([TopicPartition(topic, 0, 0)])
        messages = polled(consumer)
        assert next(messages).value() == b"first"
        kafka.send(topic, [b"now"])
        assert next(messages).value() == b"now"


class TestIdempotence:
    def test_many_retries_leave_no_gap_and_no_duplicate(self, kafka: Kafka) -> None:
        topic = kafka.topic()
        producer = kafka.producer(enable_idempotence=True, linger_ms=1, batch_num_messages=10)
        for i in range(2000):
            producer.produce(topic, str(i), partition=0)
        assert producer.flush(PATIENCE) == 0
        assert [int(m.value() or b"") for m in kafka.read(topic)] == list(range(2000))
