"""Giving a record to a producer whose queue may be full."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.clients import KafkaError, Message, Producer

    Delivered = Callable[[KafkaError | None, Message], None]

Headers = list[tuple[str, str | bytes | None]]
_PAUSE_S = 0.1


def send(
    producer: Producer,
    topic: str,
    value: bytes | None,
    key: bytes | None,
    headers: Headers | None,
    partition: int,
    delivered: Delivered | None = None,
) -> None:
    """Give the record to ``producer``, waiting for room. Raises KafkaException where it cannot be sent."""
    while True:
        try:
            producer.produce(
                topic, value=value, key=key, headers=headers or [], partition=partition, on_delivery=delivered
            )
        except BufferError:
            producer.poll(_PAUSE_S)
        else:
            return
