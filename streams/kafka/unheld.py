"""Partitions that a group at rest has given to nobody, and having it share them anew.

Kafka shares partitions among cooperative members in two steps: whoever has too many gives some up, and joins
again, upon which they are given to another. A static member that ends between the two and comes back within
its session takes its old place without a new generation: what it had given up is nobody's until the next one,
which may be never.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError

from feature_store.errors import BrokerError
from streams.kafka import describing
from streams.kafka.clients import COMMON, group_consumer
from streams.kafka.cluster import connection
from streams.kafka.leaving import leave
from streams.kafka.refused import refused_access
from streams.kafka.retriable import passes

if TYPE_CHECKING:
    import threading

_TIMEOUT_S = 5.0
_JOIN_S = 60.0
_LEAVE_S = 2.0
_POLL_S = 0.1


def unheld(bootstrap: str, group: str, topic: str) -> set[int] | None:
    """Partitions of ``topic`` that no member of ``group`` holds.

    None where that cannot be said now: members come or go, or Kafka does not answer. Raises BrokerError where
    it will not be told: by a broker that does not describe groups, or where access is refused.
    """
    found = _described({**COMMON, **connection(bootstrap)}, group, topic)
    if found is None:
        return None
    if "code" in found:
        problem = KafkaError(found["code"], found["why"])
        if refused := refused_access(problem, f"group {group!r}", "Describe"):
            raise refused
        if found["passes"] or passes(problem) or problem.code() == KafkaError.GROUP_ID_NOT_FOUND:
            return None
        raise BrokerError(f"group {group!r} cannot be looked at: {found['why']}")
    if found["state"] != "STABLE" or not found["there"]:  # a broker that has just begun knows no topic
        return None
    return set(found["there"]) - set(found["held"])


def _described(settings: dict[str, Any], group: str, topic: str) -> dict[str, Any] | None:
    """What ``describing`` says; None where it dies of it."""
    asked = json.dumps([settings, group, topic, _TIMEOUT_S])
    try:
        done = subprocess.run(
            [sys.executable, describing.__file__],
            input=asked.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=4 * _TIMEOUT_S,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        return None
    return found


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
