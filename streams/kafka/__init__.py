"""The one door to confluent-kafka: clients with the settings this system depends on."""

from __future__ import annotations

from streams.kafka.admin import group_members
from streams.kafka.clients import (
    LARGEST_MESSAGE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
    group_consumer,
    group_member,
    plain_producer,
    reader,
    transactional_producer,
)
from streams.kafka.cluster import Cluster, connection
from streams.kafka.group_transactions import REBALANCE, Aborted, GroupTransactions
from streams.kafka.handovers import Handovers, seek
from streams.kafka.headers import headers_of
from streams.kafka.lag import GroupLag, Lag
from streams.kafka.leaving import close_within, leave, stay
from streams.kafka.login import check_settings, let_in
from streams.kafka.patience import Patience
from streams.kafka.refused import place_taken, plain_refusal
from streams.kafka.registry import unframe_of
from streams.kafka.retriable import passes, plain_absence
from streams.kafka.rights import NEEDS, require_rights
from streams.kafka.sending import Headers, send
from streams.kafka.tail import (
    at_end,
    end_offsets,
    read_range,
    read_to_end,
    start_offsets,
    waiting,
)
from streams.kafka.topics import (
    IN_SYNC,
    INTERNAL,
    PresentTopic,
    TopicSpec,
    described_topics,
    ensure_topics,
    pipeline_topics,
    present_topics,
)
from streams.kafka.tracing import NO_TRACE, Trace, trace_from, trace_of, words_of
from streams.kafka.unheld import share_anew, unheld

__all__ = [
    "INTERNAL",
    "IN_SYNC",
    "LARGEST_MESSAGE",
    "NEEDS",
    "NO_TRACE",
    "REBALANCE",
    "Aborted",
    "Cluster",
    "Consumer",
    "GroupLag",
    "GroupTransactions",
    "Handovers",
    "Headers",
    "KafkaError",
    "KafkaException",
    "Lag",
    "Message",
    "Patience",
    "PresentTopic",
    "Producer",
    "TopicPartition",
    "TopicSpec",
    "Trace",
    "at_end",
    "check_settings",
    "close_within",
    "connection",
    "described_topics",
    "end_offsets",
    "ensure_topics",
    "group_consumer",
    "group_member",
    "group_members",
    "headers_of",
    "leave",
    "let_in",
    "passes",
    "pipeline_topics",
    "place_taken",
    "plain_absence",
    "plain_producer",
    "plain_refusal",
    "present_topics",
    "read_range",
    "read_to_end",
    "reader",
    "require_rights",
    "seek",
    "send",
    "share_anew",
    "start_offsets",
    "stay",
    "trace_from",
    "trace_of",
    "transactional_producer",
    "unframe_of",
    "unheld",
    "waiting",
    "words_of",
]
