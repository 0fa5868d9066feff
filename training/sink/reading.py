"""What keeper and sink workers ask of the consumers that they store from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import BrokerError, StorageError
from streams.kafka import KafkaError, KafkaException, passes, plain_refusal

if TYPE_CHECKING:
    from streams.kafka import Consumer, Message

_TIMEOUT_S = 30.0


def cluster_of(consumer: Consumer) -> str:
    """The name of the Kafka cluster. Raises BrokerError where it does not answer."""
    try:
        return consumer.list_topics(timeout=_TIMEOUT_S).cluster_id or "unnamed"
    except KafkaException as error:
        raise BrokerError(f"no answer from Kafka: {error}") from error


def reached_end(message: Message, error: KafkaError) -> bool:
    """Whether the consumer stands at a partition's end; False for what passes by itself.

    Raises StorageError for records that are gone, AccessError, BrokerError.
    """
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (the client's own name for it)
        return True
    if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001
        raise StorageError(
            f"{message.topic()}[{message.partition()}]: records that were not sunk are gone: {error.str()}"
        )
    if error.fatal() or not passes(error):
        refused = plain_refusal(error, f"topic {message.topic()!r}", "Read")
        raise refused or BrokerError(f"Kafka: {error.str()}") from KafkaException(error)
    return False
