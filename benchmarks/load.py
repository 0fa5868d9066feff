"""Sending at a steady rate, and receiving what is decided: one thread, one monotonic clock.

Open loop: event k is due at k / rate, whatever happened to those before it, and its latency counts from then.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.contest import ContestError
from benchmarks.verify import number_of
from benchmarks.workload import payments
from streams.kafka import Producer, TopicPartition, reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.workload import Payment

_EVER = 1 << 40
_PRODUCER = {
    "partitioner": "murmur2_random",
    "acks": "all",
    "linger.ms": 1,
    # An idempotent producer has five requests under way at most. While it waits to send a sixth its thread
    # spins, here on the core of the very broker that is to answer.
    "enable.idempotence": False,
    "max.in.flight.requests.per.connection": 1_000,
}
_TICK_S = 0.001
_START_S, _PATIENCE_S = 120.0, 60.0

Seconds = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Sent:
    """One rate: what came of it, without the warm-up."""

    latencies: Seconds
    rate: float
    """How many events a second were sent."""
    behind_s: float
    """From the last event to the last decision."""


class Load:
    """A producer of payments and a read_committed consumer of their decisions."""

    def __init__(self, bootstrap: str, events: str, decisions: str, partitions: int) -> None:
        self._events = events
        self._producer = Producer({**_PRODUCER, "bootstrap.servers": bootstrap})
        self._consumer = reader(bootstrap)
        self._consumer.assign([TopicPartition(decisions, p, 0) for p in range(partitions)])
        self._payments: Iterator[Payment] = payments(_EVER)
        self._sent = 0

    def begin(self) -> None:
        """Return when a first event has been decided."""
        self._send([next(self._payments)])
        deadline = time.monotonic() + _START_S
        while not self._receive(_TICK_S * 100):
            if time.monotonic() > deadline:
                raise ContestError(f"the first event was not decided within {_START_S:.0f} s")

    def send(self, rate: int, warm_up_s: float, seconds: float) -> Sent:
        """Send and receive. Raises ContestError where a decision is missing or comes twice."""
        count, first = round(rate * (warm_up_s + seconds)), self._sent
        stream = list(islice(self._payments, count))  # so that nothing but sending is left to do
        received: Seconds = np.full(count, np.nan)
        begun = last = time.monotonic()
        sent, sent_s, missing = 0, 0.0, count
        while missing:
            now = time.monotonic()
            due = min(count, int((now - begun) * rate) + 1)
            if due > sent:
                self._send(stream[sent:due])
                sent, sent_s = due, time.monotonic() - begun
            until = begun + sent / rate - time.monotonic() if sent < count else _TICK_S * 10
            numbers = self._receive(min(max(until, _TICK_S), _TICK_S * 10))
            if numbers:
                last = time.monotonic()
                received[[number - first for number in numbers]] = last - begun
                missing -= len(numbers)
            elif time.monotonic() - max(last, begun + sent_s) > _PATIENCE_S:
                raise ContestError(f"{missing:,} of {count:,} events at {rate:,}/s have no decision")
        if np.isnan(received).any():
            raise ContestError("events were decided twice")
        latencies = received - np.arange(count) / rate
        return Sent(latencies[round(rate * warm_up_s) :], count / sent_s, last - begun - sent_s)

    def close(self) -> None:
        """Leave Kafka."""
        self._producer.close()
        self._consumer.close()

    def _send(self, due: list[Payment]) -> None:
        for payment in due:
            self._producer.produce(self._events, payment.value, payment.key)
        self._producer.poll(0)
        self._sent += len(due)

    def _receive(self, timeout_s: float) -> list[int]:
        message = self._consumer.poll(timeout_s)
        if message is None:
            return []
        found = [message, *self._consumer.consume(1_000, 0)]
        return [number_of(each) for each in found if each.error() is None]
