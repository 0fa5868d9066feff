"""Asking the cluster: the admin client, and who is in a consumer group."""

from __future__ import annotations

import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from feature_store.errors import BrokerError
from streams.kafka.clients import COMMON, LOG
from streams.kafka.cluster import connection
from streams.kafka.refused import refused_access
from streams.kafka.retriable import passes

TIMEOUT_S = 30.0
_PAUSE_S = 0.1


def admin_of(bootstrap: str) -> AdminClient:
    """An admin client of the Kafka at ``bootstrap``."""
    return AdminClient({**COMMON, **connection(bootstrap)}, logger=LOG)


def group_members(bootstrap: str, group: str, *, lingering_s: float = 0.0) -> int | None:
    """How many consumers are in ``group`` now; None from a broker that does not tell.

    A static member that has stopped stays for its session's time: where all are static, up to ``lingering_s``
    is waited for them to be gone. Raises BrokerError where Kafka does not answer.
    """
    admin = admin_of(bootstrap)
    deadline = time.monotonic() + TIMEOUT_S
    gone = time.monotonic() + lingering_s
    while True:
        try:
            described = admin.describe_consumer_groups([group], request_timeout=TIMEOUT_S)[group]
            members = described.result().members
            if time.monotonic() > gone or not all(member.group_instance_id for member in members):
                return len(members)
            if not members:
                return 0
        except KafkaException as error:
            problem = error.args[0]
            code = problem.code()
            if code == KafkaError.GROUP_ID_NOT_FOUND:
                return 0
            if code == KafkaError._UNSUPPORTED_FEATURE:  # noqa: SLF001  (the client's own name)
                return None
            if refused := refused_access(problem, f"group {group!r}", "Describe"):
                raise refused from error
            if not passes(problem) or time.monotonic() > deadline:
                raise BrokerError(f"group {group!r} on {bootstrap} cannot be looked at: {error}") from error
        time.sleep(_PAUSE_S)  # also for a Kafka just started: it makes its coordinators when first asked
