"""Clients that are not librdkafka's Python binding: aiokafka, and the command kcat."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced

from tests.contract.broker.toolkit import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.contract.broker.toolkit import Kafka


def finish(work: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(work, PATIENCE))


class TestAiokafka:
    def test_a_group_resumes_where_it_committed(self, kafka: Kafka) -> None:
        topic, group = kafka.topic(partitions=2), kafka.name()

        async def resume() -> None:
            async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
                for i in range(20):
                    headers = [("n", b"%d" % i)]
                    await producer.send_and_wait(topic, b"%d" % i, b"k", 1, headers=headers)
            for start in (0, 10):
                async with AIOKafkaConsumer(
                    topic,
                    bootstrap_servers=kafka.bootstrap,
                    group_id=group,
                    auto_offset_reset="earliest",
                    enable_auto_commit=False,
                ) as consumer:
                    for i in range(start, start + 10):
                        message = await consumer.getone()
                        assert (message.value, message.headers) == (b"%d" % i, (("n", b"%d" % i),))
                    await consumer.commit({TopicPartition(topic, 1): start + 10})

        finish(resume())

    def test_a_transaction_with_offsets(self, kafka: Kafka) -> None:
        topic, group = kafka.topic(), kafka.name()
        partition = TopicPartition(topic, 0)

        async def transact() -> None:
            async with AIOKafkaProducer(
                bootstrap_servers=kafka.bootstrap, transactional_id=kafka.name()
            ) as producer:
                await producer.begin_transaction()
                await producer.send_and_wait(topic, b"aborted", partition=0)
                await producer.send_offsets_to_transaction({partition: 3}, group)
                await producer.abort_transaction()
                async with producer.transaction():
                    await producer.send_and_wait(topic, b"kept", partition=0)
                    await producer.send_offsets_to_transaction({partition: 8}, group)
            async with AIOKafkaConsumer(
                bootstrap_servers=kafka.bootstrap,
                group_id=group,
                isolation_level="read_committed",
            ) as consumer:
                consumer.assign([partition])
                assert await consumer.committed(partition) == 8
                await consumer.seek_to_beginning(partition)
                assert (await consumer.getone()).value == b"kept"

        finish(transact())

    def test_a_zombie_is_fenced(self, kafka: Kafka) -> None:
        topic, name = kafka.topic(), kafka.name()

        async def fence() -> None:
            settings = {"bootstrap_servers": kafka.bootstrap, "transactional_id": name}
            async with AIOKafkaProducer(**settings) as zombie, AIOKafkaProducer(**settings):
                await zombie.begin_transaction()
                with pytest.raises(ProducerFenced):
                    await zombie.send_and_wait(topic, b"zombie", partition=0)

        finish(fence())
        assert kafka.values(topic) == []


class TestKcat:
    @pytest.fixture
    def kcat(self, kafka: Kafka) -> list[str]:
        program = shutil.which("kcat")
        if program is None and os.environ.get("CI"):
            pytest.fail("CI needs the command kcat (Debian package kcat)")
        if program is None:
            pytest.skip("no command kcat (Debian package kcat)")
        return [program, "-b", kafka.bootstrap, "-q", "-X", "linger.ms=0"]

    def test_it_lists_produces_and_consumes(self, kafka: Kafka, kcat: list[str]) -> None:
        topic = kafka.topic(partitions=3)

        def run(*arguments: str, said: str = "") -> str:
            command = [*kcat, *arguments, "-t", topic]
            done = subprocess.run(
                command, input=said, text=True, capture_output=True, timeout=PATIENCE, check=False
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert f'topic "{topic}" with 3 partitions' in run("-L")
        run("-P", "-p", "1", "-K:", "-z", "lz4", said="a:1\nb:2\n")
        shown = run("-C", "-p", "1", "-o", "beginning", "-e", "-f", "%o %k %s\n")
        assert shown == "0 a 1\n1 b 2\n"
        group = [*kcat, "-G", kafka.name(), "-X", "auto.offset.reset=earliest", "-c", "2", topic]
        consumed = subprocess.run(group, text=True, capture_output=True, timeout=PATIENCE, check=True)
        assert consumed.stdout == "1\n2\n"

    def test_it_sees_committed_records_only(self, kafka: Kafka, kcat: list[str]) -> None:
        topic = kafka.topic()
        producer = kafka.transactional(kafka.name())
        for value, decide in (("no", producer.abort_transaction), ("yes", producer.commit_transaction)):
            producer.begin_transaction()
            producer.produce(topic, value, partition=0)
            assert producer.flush(PATIENCE) == 0
            decide(PATIENCE)
        command = [*kcat, "-C", "-t", topic, "-e", "-X", "isolation.level=read_committed"]
        shown = subprocess.run(command, text=True, capture_output=True, timeout=PATIENCE, check=True)
        assert shown.stdout == "yes\n"
