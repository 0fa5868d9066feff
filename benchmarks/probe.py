"""Events at a steady rate while something happens to the scorers: how long did each wait for its decision?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.contest import ContestError
from benchmarks.verify import number_of
from benchmarks.visits import visits
from streams.kafka import TopicPartition, end_offsets, plain_producer, reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stage import Stage

_TICK_S = 0.005


class Wait(NamedTuple):
    """One event, its partition, and the seconds from when it was due until its decision was seen."""

    number: int
    partition: int
    seconds: float


class Probe:
    """A producer of the customers' next events, and a read_committed consumer of their decisions."""

    def __init__(
        self, on: Stage, customers: int, rate: int, *, first: int | None = None, patience_s: float = 300.0
    ) -> None:
        """Begin with event ``first``: by default all ``customers`` have been there once.

        Decisions that are there already are passed over.
        """
        topics = on.pipeline.topics
        self._topic, self._rate, self._customers = topics.events, rate, customers
        self._patience_s = patience_s
        self._sent = customers if first is None else first
        self.answered = 0
        self.waiting = 0
        """Events of the present run that were sent, and are decided or not."""
        self._producer = plain_producer(on.broker.bootstrap, linger_ms=1, client_id="probe")
        self._consumer = reader(on.broker.bootstrap)
        ends = end_offsets(self._consumer, topics.decisions)
        self._consumer.assign([TopicPartition(topics.decisions, p, at) for p, at in ends.items()])

    def run(self, going: Callable[[float], bool]) -> list[Wait]:
        """Send until ``going``, asked again and again with the seconds gone by, says no; receive the rest.

        Raises ContestError where a decision is missing or comes twice.
        """
        first, waits = self._sent, dict[int, Wait]()
        begun = last = time.monotonic()
        stop = False
        while not stop or len(waits) < self._sent - first:
            elapsed = time.monotonic() - begun
            stop = stop or not going(elapsed)
            if not stop:
                self._send(first + int(elapsed * self._rate) + 1 - self._sent)
            came = self._receive(waits, first, begun)
            last = time.monotonic() if came else last
            self.answered, self.waiting = len(waits), self._sent - first - len(waits)
            if time.monotonic() - last > self._patience_s:
                raise ContestError(f"{self.waiting:,} events have no decision after {self._patience_s:.0f} s")
        return list(waits.values())

    def close(self) -> None:
        """Leave Kafka."""
        self._producer.close()
        self._consumer.close()

    def _send(self, count: int) -> None:
        for event in visits(self._customers, self._sent, count):
            self._producer.produce(self._topic, event.value, event.key)
        self._producer.poll(0)
        self._sent += count

    def _receive(self, waits: dict[int, Wait], first: int, begun: float) -> bool:
        message = self._consumer.poll(_TICK_S)
        if message is None:
            return False
        now = time.monotonic() - begun
        for each in [message, *self._consumer.consume(10_000, 0)]:
            if each.error() is not None:
                continue
            number = number_of(each)
            if number in waits:
                raise ContestError(f"event {number} was decided twice")
            if number >= first:
                waits[number] = Wait(number, each.partition() or 0, now - (number - first) / self._rate)
        return True
