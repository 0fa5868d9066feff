"""The one door to confluent-kafka: clients with the settings this system depends on."""

from __future__ import annotations

from streams.kafka.admin import TopicSpec, ensure_topics, group_members, pipeline_topics, present_topics
from streams.kafka.clients import (
    LARGEST_MESSAGE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
    group_consumer,
    plain_producer,
    reader,
    transactional_producer,
)
from streams.kafka.headers import headers_of
from streams.kafka.tail import at_end, end_offsets, read_range, read_to_end, start_offsets

__all__ = [
    "LARGEST_MESSAGE",
    "Consumer",
    "KafkaError",
    "KafkaException",
    "Message",
    "Producer",
    "TopicPartition",
    "TopicSpec",
    "at_end",
    "end_offsets",
    "ensure_topics",
    "group_consumer",
    "group_members",
    "headers_of",
    "pipeline_topics",
    "plain_producer",
    "present_topics",
    "read_range",
    "read_to_end",
    "reader",
    "start_offsets",
    "transactional_producer",
]
