"""Administration: topics, partitions, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from tests.contract.broker.toolkit import eventually, refused, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.broker.toolkit import Kafka

NO_SETTINGS = "settings are given once, with the topic"


def settings(kafka: Kafka, topic: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    found = wait_for(kafka.admin.describe_configs([resource])[resource])
    return {name: entry.value for name, entry in found.items()}


class TestTopics:
    def test_created_topics_are_listed_until_deleted(self, kafka: Kafka) -> None:
        topic = kafka.topic(partitions=3)
        assert len(kafka.admin.list_topics().topics[topic].partitions) == 3
        wait_for(kafka.admin.delete_topics([topic])[topic])
        eventually(lambda: topic not in kafka.admin.list_topics().topics)

    def test_a_deleted_topic_starts_anew(self, kafka: Kafka) -> None:
        topic = kafka.topic()
        kafka.send(topic, [b"old"])
        wait_for(kafka.admin.delete_topics([topic])[topic])
        eventually(lambda: topic not in kafka.admin.list_topics().topics)
        wait_for(kafka.admin.create_topics([NewTopic(topic, 1, 1)])[topic])
        eventually(lambda: topic in kafka.admin.list_topics().topics)
        kafka.send(topic, [b"new"])
        assert kafka.values(topic) == [b"new"]

    def test_what_cannot_be_created(self, kafka: Kafka) -> None:
        taken = kafka.topic()
        for new, code in (
            (NewTopic(taken, 1, 1), KafkaError.TOPIC_ALREADY_EXISTS),
            (NewTopic("no such name!", 1, 1), KafkaError.TOPIC_EXCEPTION),
            (NewTopic(kafka.name(), 0, 1), KafkaError.INVALID_PARTITIONS),
            (NewTopic(kafka.name(), 1, 3), KafkaError.INVALID_REPLICATION_FACTOR),
            (NewTopic(kafka.name(), 1, 1, config={"no.such": "1"}), KafkaError.INVALID_CONFIG),
            (
                NewTopic(kafka.name(), 1, 1, config={"retention.ms": "soon"}),
                KafkaError.INVALID_CONFIG,
            ),
        ):
            with refused(code):
                wait_for(kafka.admin.create_topics([new])[new.topic])

    def test_validate_only_creates_nothing(self, kafka: Kafka) -> None:
        name = kafka.name()
        wait_for(kafka.admin.create_topics([NewTopic(name, 1, 1)], validate_only=True)[name])
        assert name not in kafka.admin.list_topics().topics

    def test_an_unknown_topic_cannot_be_deleted(self, kafka: Kafka) -> None:
        name = kafka.name()
        with refused(KafkaError.UNKNOWN_TOPIC_OR_PART):
            wait_for(kafka.admin.delete_topics([name])[name])

    def test_partitions_only_grow(self, kafka: Kafka, gap: Callable[[str], None]) -> None:
        gap("partitions cannot be added")
        topic = kafka.topic(partitions=2)
        wait_for(kafka.admin.create_partitions([NewPartitions(topic, 5)])[topic])
        eventually(lambda: len(kafka.admin.list_topics(topic).topics[topic].partitions) == 5)
        with refused(KafkaError.INVALID_PARTITIONS):
            wait_for(kafka.admin.create_partitions([NewPartitions(topic, 3)])[topic])


class TestSettings:
    def test_defaults_and_what_was_given(self, kafka: Kafka, gap: Callable[[str], None]) -> None:
        gap(NO_SETTINGS)
        found = settings(kafka, kafka.topic(cleanup_policy="compact"))
        assert found["cleanup.policy"] == "compact"
        assert found["retention.ms"] == "604800000"
        assert found["retention.bytes"] == "-1"
        assert found["max.message.bytes"] == "1048588"
        assert found["min.insync.replicas"] == "1"

    def test_settings_are_changed_one_by_one_and_reset(
        self, kafka: Kafka, gap: Callable[[str], None]
    ) -> None:
        gap(NO_SETTINGS)
        topic = kafka.topic(retention_bytes="123456789")

        def alter(name: str, value: str | None, how: AlterConfigOpType) -> None:
            entry = ConfigEntry(name, value, incremental_operation=how)
            resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
            wait_for(kafka.admin.incremental_alter_configs([resource])[resource])

        alter("retention.ms", "3600000", AlterConfigOpType.SET)
        eventually(lambda: settings(kafka, topic)["retention.ms"] == "3600000")
        alter("retention.bytes", None, AlterConfigOpType.DELETE)
        eventually(lambda: settings(kafka, topic)["retention.bytes"] == "-1")
        assert settings(kafka, topic)["retention.ms"] == "3600000"

    def test_an_unknown_topic_has_no_settings(self, kafka: Kafka, gap: Callable[[str], None]) -> None:
        gap(NO_SETTINGS)
        resource = ConfigResource(ConfigResource.Type.TOPIC, kafka.name())
        with refused(KafkaError.UNKNOWN_TOPIC_OR_PART):
            wait_for(kafka.admin.describe_configs([resource])[resource])

    def test_a_compacted_topic_keeps_the_latest_of_a_key(self, kafka: Kafka) -> None:
        topic = kafka.topic(cleanup_policy="compact", retention_ms="1", retention_bytes="1")
        kafka.send(topic, [b"old", b"latest"], key=b"k")
        assert kafka.values(topic)[-1] == b"latest"

    def test_a_compacted_topic_refuses_a_record_without_key(
        self, kafka: Kafka, gap: Callable[[str], None]
    ) -> None:
        gap("keys are inside the batches, which are not opened")
        topic = kafka.topic(cleanup_policy="compact")
        with refused(KafkaError.INVALID_RECORD):
            kafka.send(topic, [b"no key"])
