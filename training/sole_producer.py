"""Transactional producers of the keeper: one that is made anew fences whoever wrote under its id before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import BrokerError
from streams.kafka import KafkaException, transactional_producer

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka import Producer

_SETTLE_S = 30.0


def by_nobody_else() -> None:
    """Where no second keeper can be, there is nothing to confirm."""


def sole_producer(
    bootstrap: str, transactional_id: str, timeout_s: float, confirm: Callable[[], None]
) -> Producer:
    """A producer that may write. ``confirm`` raises where this process is the pipeline's keeper no more.

    Raises KafkaException where Kafka does not answer in time.
    """
    producer = transactional_producer(bootstrap, transactional_id)
    producer.init_transactions(timeout_s)
    confirm()  # now: a keeper that was replaced before can make a producer, too
    return producer


def settle(bootstrap: str, transactional_id: str, what: str) -> None:
    """End what an earlier keeper left open under this id, and keep it from writing more.

    Raises BrokerError naming ``what`` could not be settled.
    """
    producer = transactional_producer(bootstrap, transactional_id)
    try:
        producer.list_topics(timeout=_SETTLE_S)  # unconnected, the next call sleeps first
        producer.init_transactions(_SETTLE_S)
    except KafkaException as error:
        raise BrokerError(f"{what} cannot be settled: {error}") from error
    finally:
        producer.close()
