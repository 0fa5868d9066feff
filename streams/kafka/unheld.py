"""Partitions that a group at rest has given to nobody, and having it share them anew.

Kafka shares partitions among cooperative members in two steps: whoever has too many gives some up, and joins
again, upon which they are given to another. A static member that ends between the two and comes back within
its session takes its old place without a new generation: what it had given up is nobody's until the next one,
which may be never.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException

from feature_store.errors import BrokerError
from streams.kafka.clients import group_consumer
from streams.kafka.leaving import leave
from streams.kafka.refused import refused_access
from streams.kafka.tail import passes

if TYPE_CHECKING:
    import threading

    from confluent_kafka.admin import AdminClient

_TIMEOUT_S = 5.0
_JOIN_S = 60.0
_LEAVE_S = 2.0
_POLL_S = 0.1


def unheld(admin: AdminClient, group: str, topic: str) -> set[int] | None:
    """Partitions of ``topic`` that no member of ``group`` holds.

    None where that cannot be said now: members come or go, or Kafka does not answer. Raises BrokerError where
    it will not be told: by a broker that does not describe groups, or where access is refused.
    """
    try:
        asked = admin.describe_consumer_groups([group], request_timeout=_TIMEOUT_S)[group]
        described = asked.result()
        if described.state is not ConsumerGroupState.STABLE:
            return None
        found = admin.list_topics(topic, timeout=_TIMEOUT_S).topics.get(topic)
    except KafkaException as error:
        problem = error.args[0]
        if refused := refused_access(problem, f"group {group!r}", "Describe"):
            raise refused from error
        if problem.code() == KafkaError.GROUP_ID_NOT_FOUND or passes(problem):
            return None
        raise BrokerError(f"group {group!r} cannot be looked at: {error}") from error
    if found is None or found.error is not None or not found.partitions:  # a broker that has just begun
        return None
    held = {
        each.partition
        for member in described.members
        for each in (member.assignment.topic_partitions if member.assignment else [])
        if each.topic == topic
    }
    return set(found.partitions) - held


def share_anew(bootstrap: str, group: str, beside: str, stop: threading.Event) -> None:
    """Join ``group`` for a moment, with an eye on the topic ``beside`` only, so that nobody loses anything
    by it: all partitions are shared out in the generation that this begins.
    """
    joined: list[object] = []
    consumer = group_consumer(bootstrap, group, client_id=f"{group}.sharing")
    try:
        consumer.subscribe([beside], on_assign=lambda _, partitions: joined.append(partitions))
        until = time.monotonic() + _JOIN_S
        while not joined and not stop.is_set() and time.monotonic() < until:
            consumer.poll(_POLL_S)
    finally:
        leave(consumer, _LEAVE_S)
