"""Which errors pass: what a broker says while it comes and goes, and what a client says meanwhile.

librdkafka asks again by itself in some requests only, and what it gives up on does not say whether it passes:
a consumer's errors are never ``retriable`` (2.16). Kafka's own list of those that are is in its ``Errors``.
"""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from feature_store.errors import BrokerError

# ruff: noqa: SLF001  (the client's own names)
_PASSING = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._WAIT_COORD,
        KafkaError._DESTROY_BROKER,  # it left the cluster while it was asked
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.NOT_CONTROLLER,
        KafkaError.CONCURRENT_TRANSACTIONS,
        KafkaError.KAFKA_STORAGE_ERROR,  # others lead what was on that disk
        KafkaError.LISTENER_NOT_FOUND,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,  # a new leader, before it knows how far the others are
        KafkaError.PREFERRED_LEADER_NOT_AVAILABLE,
        KafkaError.ELIGIBLE_LEADERS_NOT_AVAILABLE,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
    }
)
_NOT_KNOWN_YET = frozenset(
    {
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.INCONSISTENT_TOPIC_ID,
    }
)
"""What a client, or a broker that is just back, says of a partition before it has heard of it."""


def passes(error: KafkaError) -> bool:
    """Whether the same call may well succeed a moment later."""
    return error.retriable() or error.code() in _PASSING


def asked_too_soon(error: KafkaError) -> bool:
    """Whether a question about a topic may well be answered a moment later."""
    return passes(error) or error.code() in _NOT_KNOWN_YET


def plain_absence(found: object) -> BrokerError | None:
    """An error that ends a process, in words, where a fresh one may find Kafka back; None for any other."""
    problem = found.args[0] if isinstance(found, KafkaException) else None
    if not isinstance(problem, KafkaError) or not asked_too_soon(problem):
        return None
    return BrokerError(f"Kafka was away, or had just come back: {problem.str()}; start it again")
