"""Sending emissions to Kafka, in order, at a pace, each with its arrival in the header."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from feature_store.clock import ARRIVED_AT
from feature_store.errors import BrokerError
from streams.kafka import KafkaError, KafkaException, Message, Producer, plain_producer
from streams.sources.timeline import Pace, Published

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.sources.timeline import Emission, Role

_SERVE_EVERY = 256  # records between two looks at delivery reports
_PROGRESS_S = 0.5
_FLUSH_S = 60.0
_SLACK_S = 0.001  # shorter waits cost more than they pace


def publish(
    emissions: Iterable[Emission],
    bootstrap: str,
    topics: dict[Role, str],
    *,
    pace: Pace | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[Published], None] | None = None,
) -> Published:
    """Send ``emissions`` and wait until Kafka has acknowledged every one.

    Setting ``stop`` ends the run early; what was sent is still acknowledged and counted. Raises BrokerError
    as soon as a record could not be delivered.
    """
    return _Publication(bootstrap, topics, pace or Pace(), stop or threading.Event(), on_progress).run(
        emissions
    )


class _Publication:
    def __init__(
        self,
        bootstrap: str,
        topics: dict[Role, str],
        pace: Pace,
        stop: threading.Event,
        on_progress: Callable[[Published], None] | None,
    ) -> None:
        self._producer: Producer = plain_producer(bootstrap, client_id="sluicegate-source")
        self._bootstrap = bootstrap
        self._topics = topics
        self._pace = pace
        self._stop = stop
        self._on_progress = on_progress
        self._failure: KafkaError | None = None
        self._sent: dict[Role, int] = {"events": 0, "outcomes": 0}
        self._bytes = 0
        self._arrival = 0
        self._ends: dict[int, int] = {}
        self._reported = time.monotonic()
        self._begun: tuple[float, int] | None = None  # real time and arrival of the first record

    def run(self, emissions: Iterable[Emission]) -> Published:
        """Send all, or until stopped; then flush."""
        for count, emission in enumerate(emissions):
            if count % _SERVE_EVERY == 0:
                self._serve(0)
            if self._stop.is_set() or not self._wait_for(emission):
                break
            self._send(emission)
        left = self._producer.flush(_FLUSH_S)
        self._raise_failure()
        if left:
            raise BrokerError(f"Kafka at {self._bootstrap} did not acknowledge {left} records; is it up?")
        published = self._published()
        if self._on_progress is not None:
            self._on_progress(published)
        return published

    def _wait_for(self, emission: Emission) -> bool:
        """Wait until the emission is due; False when stopped meanwhile."""
        due = self._due(emission)
        while (wait := due - time.monotonic()) > _SLACK_S:
            self._serve(0)
            if self._stop.wait(min(wait, _PROGRESS_S)):
                return False
        return True

    def _due(self, emission: Emission) -> float:
        if self._begun is None:
            self._begun = time.monotonic(), emission.arrival_us
        began, first_arrival = self._begun
        if self._pace.rate is not None:
            return began + self._sent["events"] / self._pace.rate
        if self._pace.speed is not None:
            return began + (emission.arrival_us - first_arrival) / 1e6 / self._pace.speed
        return began

    def _send(self, emission: Emission) -> None:
        arrival_us, role, key, value = emission
        on_delivery = self._delivered if role == "events" else self._outcome_delivered
        headers: list[tuple[str, str | bytes | None]] = [(ARRIVED_AT, b"%d" % (arrival_us // 1_000))]
        while True:
            try:
                self._producer.produce(
                    self._topics[role], value, key, headers=headers, on_delivery=on_delivery
                )
                break
            except BufferError:  # the local queue is full: let it drain
                self._serve(0.05)
            except KafkaException as error:
                raise BrokerError(f"{self._topics[role]}: {error}") from error
        self._sent[role] += 1
        self._bytes += len(key) + len(value)
        self._arrival = arrival_us

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = self._failure or error
            return
        partition, offset = message.partition(), message.offset()
        if partition is not None and offset is not None:
            self._ends[partition] = offset + 1

    def _outcome_delivered(self, error: KafkaError | None, message: Message) -> None:
        del message
        if error is not None:
            self._failure = self._failure or error

    def _serve(self, timeout: float) -> None:
        self._producer.poll(timeout)
        self._raise_failure()
        now = time.monotonic()
        if self._on_progress is not None and now - self._reported >= _PROGRESS_S:
            self._reported = now
            self._on_progress(self._published())

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise BrokerError(f"Kafka at {self._bootstrap} refused a record: {self._failure}")

    def _published(self) -> Published:
        return Published(
            self._sent["events"], self._sent["outcomes"], self._bytes, self._arrival, dict(self._ends)
        )
