"""When Kafka refuses a user, or a second holder of one name: in plain words."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from feature_store.errors import BrokerError, StateError

_TOPIC = KafkaError.TOPIC_AUTHORIZATION_FAILED
_KINDS = {
    _TOPIC: "a topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "a consumer group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "a transactional id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the cluster",
}
_PAGE = "docs/how-to/secure-kafka.md lists what each process needs"
_SECTION = "see the section `kafka` of the pipeline file"


class AccessError(BrokerError):
    """Kafka knows the user, and does not allow what it asks for."""


class LoginError(BrokerError):
    """Kafka does not take the user's credentials, or one side does not trust the other's certificate."""


def not_allowed(what: str, operation: str) -> AccessError:
    """The error of a user that may not do ``operation`` on ``what``."""
    return AccessError(f"Kafka does not allow this user {operation} on {what}; {_PAGE}")


def refused_access(error: KafkaError, what: str, operation: str) -> AccessError | None:
    """The error to raise where ``operation`` on ``what`` is not allowed; None for any other error."""
    return not_allowed(what, operation) if error.code() in _KINDS else None


def plain_refusal(found: object, topic: str | None = None, operation: str = "Write") -> BrokerError | None:
    """A client's error in words, where it is a refusal; None for anything else.

    ``topic`` and ``operation`` are what was tried, where that is known.
    """
    error = found.args[0] if isinstance(found, KafkaException) else found
    if not isinstance(error, KafkaError):
        return None
    if error.code() == _TOPIC and topic is not None:
        return refused_access(error, topic, operation)
    if error.code() in _KINDS:
        return AccessError(f"Kafka does not allow this user {operation}: {error.str()}; {_PAGE}")
    if error.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):  # noqa: SLF001
        return LoginError(f"Kafka does not take these credentials: {error.str()}; {_SECTION}")
    if error.code() == KafkaError._SSL:  # noqa: SLF001  (the client's own name)
        return LoginError(f"no TLS connection to Kafka: {error.str()}; {_SECTION}")
    return None


def place_taken(error: KafkaError) -> StateError | None:
    """A consumer's error in words, where another one has come under its name; None for anything else."""
    fatal = error.code() == KafkaError._FATAL and "group.instance.id" in error.str()  # noqa: SLF001
    if error.code() != KafkaError.FENCED_INSTANCE_ID and not fatal:
        return None
    return StateError(
        "another process has come under this one's name and taken its place in the consumer group: two run "
        "as one slot. The newer one goes on, this one ends; give each process a --slot of its own"
    )
