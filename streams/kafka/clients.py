"""Consumers and producers with the settings that the promises rest on.

Every producer partitions by ``murmur2_random``, as clients of other languages do; every consumer reads
``read_committed``, which also makes its ``committed()`` wait for stable offsets.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from streams.kafka.cluster import connection

if TYPE_CHECKING:
    from collections.abc import Callable

    OnCommit = Callable[[KafkaError | None, list[TopicPartition]], None]

__all__ = [
    "LARGEST_MESSAGE",
    "Consumer",
    "KafkaError",
    "KafkaException",
    "Message",
    "Producer",
    "TopicPartition",
    "group_consumer",
    "plain_producer",
    "reader",
    "transactional_producer",
]

LARGEST_MESSAGE = 10_485_760
"""Bytes: what our own topics take and our producers send; a dead letter is larger than the event in it."""

_EXPECTED = ("TXNERR", "GETPID")
"""What librdkafka calls an error but our code answers: an aborted transaction is done again, a coordinator
that still loads is asked again."""


def _calm(record: logging.LogRecord) -> bool:
    if record.getMessage().startswith(_EXPECTED):
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


LOG = logging.getLogger("librdkafka")
LOG.addFilter(_calm)
COMMON: dict[str, Any] = {"log.connection.close": False, "socket.keepalive.enable": True}
_PRODUCER: dict[str, Any] = {
    **COMMON,
    "partitioner": "murmur2_random",
    "message.max.bytes": LARGEST_MESSAGE,
    "compression.type": "lz4",
    "enable.idempotence": True,
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 1_048_576,
}
_CONSUMER: dict[str, Any] = {
    **COMMON,
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.partition.eof": False,
    "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 100,
    "fetch.error.backoff.ms": 50,
}


def group_consumer(
    bootstrap: str,
    group: str,
    *,
    session_timeout_ms: int = 10_000,
    client_id: str = "sluicegate",
    instance: str | None = None,
    on_commit: OnCommit | None = None,
    end_events: bool = False,
) -> Consumer:
    """A consumer in a group; partitions move cooperatively, offsets are committed by hand.

    One with an ``instance`` is a static member: it does not leave the group when it closes, and whoever comes
    back under that name within the session's time has its partitions at once, without the others hearing of
    it. ``on_commit`` hears, inside ``poll``, of commits that were not waited for. With ``end_events`` it
    reports each partition's end.
    """
    return Consumer(
        {
            **_CONSUMER,
            "client.id": client_id,
            "group.id": group,
            "auto.offset.reset": "error",
            "enable.partition.eof": end_events,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": session_timeout_ms,
            "heartbeat.interval.ms": min(
                1_000, session_timeout_ms // 5
            ),  # also how soon a handover is heard of
            # State is rebuilt inside a rebalance, without polling; a member given up meanwhile would begin
            # anew for ever. 65,000 events a second were replayed; heartbeats tell who is alive.
            "max.poll.interval.ms": max(3_600_000, session_timeout_ms),
            "queued.max.messages.kbytes": 65_536,
            "queued.min.messages": 20_000,
            **({} if instance is None else {"group.instance.id": instance}),
            **({} if on_commit is None else {"on_commit": on_commit}),
            **connection(bootstrap),
        },
        logger=LOG,
    )


def reader(bootstrap: str, *, end_events: bool = False, uncommitted: bool = False) -> Consumer:
    """A consumer without a group, for ``assign``; with ``end_events`` it reports each partition's end.

    ``uncommitted`` is for asking where a topic ends with what is open: what it reads may be aborted.
    """
    return Consumer(
        {
            **_CONSUMER,
            "isolation.level": "read_uncommitted" if uncommitted else "read_committed",
            "group.id": "sluicegate-reader",
            "auto.offset.reset": "error",
            "enable.partition.eof": end_events,
            **connection(bootstrap),
        },
        logger=LOG,
    )


def group_member(
    bootstrap: str, identity: str, slot: int, *, session_timeout_ms: int
) -> tuple[Consumer, Producer]:
    """The consumer and the transactional producer of one slot of the group ``identity``; the consumer reports
    each partition's end.
    """
    name = f"{identity}.{slot}"
    consumer = group_consumer(
        bootstrap, identity, session_timeout_ms=session_timeout_ms, client_id=name, end_events=True
    )
    return consumer, transactional_producer(bootstrap, name)


def plain_producer(bootstrap: str, *, linger_ms: int = 5, client_id: str = "sluicegate") -> Producer:
    """An idempotent producer without transactions."""
    return Producer(
        {
            **_PRODUCER,
            "client.id": client_id,
            "linger.ms": linger_ms,
            **connection(bootstrap),
        },
        logger=LOG,
    )


def transactional_producer(bootstrap: str, transactional_id: str, *, timeout_ms: int = 10_000) -> Producer:
    """A transactional producer.

    ``transactional_id`` must be stable per worker slot, so that a zombie of the same slot is fenced.
    """
    return Producer(
        {
            **_PRODUCER,
            "client.id": transactional_id,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": timeout_ms,
            "linger.ms": 0,
            # A transaction that follows closely is asked to wait until the markers of the last are written;
            # the default of 100 ms would be most of what a slow batch takes.
            "retry.backoff.ms": 5,
            **connection(bootstrap),
        },
        logger=LOG,
    )
