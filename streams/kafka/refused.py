"""When Kafka refuses a user: which operation on what, in plain words."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from feature_store.errors import BrokerError

_KINDS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "a topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "a consumer group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "a transactional id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the cluster",
}
_PAGE = "docs/how-to/secure-kafka.md lists what each process needs"


class AccessError(BrokerError):
    """Kafka knows the user, and does not allow what it asks for."""


class LoginError(BrokerError):
    """Kafka does not take the user's credentials, or its certificate is not trusted."""


def refused_access(error: KafkaError, what: str, operation: str) -> AccessError | None:
    """The error to raise where ``operation`` on ``what`` is not allowed; None for any other error."""
    if error.code() not in _KINDS:
        return None
    return AccessError(f"Kafka does not allow this user {operation} on {what}; {_PAGE}")


def plain_refusal(error: BaseException) -> BrokerError | None:
    """A client's exception as an error in words, where it is a refusal; None for anything else."""
    if not isinstance(error, KafkaException) or not isinstance(error.args[0], KafkaError):
        return None
    found = error.args[0]
    if found.code() in _KINDS:
        return AccessError(
            f"Kafka does not allow this user an operation on {_KINDS[found.code()]}: {found.str()}; {_PAGE}"
        )
    if found.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):  # noqa: SLF001
        return LoginError(
            f"Kafka does not take these credentials: {found.str()}; see `kafka` in the pipeline file"
        )
    if found.code() == KafkaError._SSL:  # noqa: SLF001
        return LoginError(f"no TLS connection to Kafka: {found.str()}; see `kafka` in the pipeline file")
    return None
