"""Leaving a consumer group without waiting for ever.

A client that is given partitions while it closes may never return from the callback (librdkafka issues 4041,
4527 and 4884: the group ends, and what the callback asks of it is dropped without an answer). It holds
Python's interpreter meanwhile: no other thread could end it, nor is any signal handled.
"""

from __future__ import annotations

import ctypes
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from confluent_kafka import KafkaException

if TYPE_CHECKING:
    from streams.kafka.clients import Consumer

_log = structlog.get_logger()
_PATIENCE_S = 10.0
_POLL_S = 0.1


def leave(consumer: Consumer, within_s: float = _PATIENCE_S) -> bool:
    """Close a dynamic member of a group; whether it was closed in time (``close_within``).

    It leaves first and gives back what it has, so that nothing is assigned while it closes.
    """
    until = time.monotonic() + within_s
    with suppress(KafkaException, RuntimeError):  # it is closed, or was never subscribed
        consumer.unsubscribe()
        consumer.poll(_POLL_S)  # what was assigned and is not yet heard of
        while consumer.assignment() and time.monotonic() < until:
            consumer.poll(_POLL_S)
    return close_within(consumer, max(until - time.monotonic(), _POLL_S))


def close_within(consumer: Consumer, seconds: float) -> bool:
    """Close a member of a group; whether it was closed in time. To be called last: what is left to a client
    that was not goes with the process. One without Kafka waits for the answer to its last commit.
    """
    closing = threading.Thread(target=consumer.close, name="closing-a-member", daemon=True)
    closing.start()
    closing.join(seconds)
    if closing.is_alive():
        _log.warning("group_not_left", waited_s=round(seconds, 1))
    return not closing.is_alive()


def stay(consumer: Consumer) -> None:
    """Leave a static member as it is, in a process that ends: Kafka would not be told of its end either.

    Nothing frees it: that would close it. Its threads go on until the process is ended at once.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(consumer))
