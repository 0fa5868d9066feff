"""Payments at a steady rate while things break, from a thread; bursts, and records that are none."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from streams.kafka import plain_producer
from tests.chaos.fates import POISON
from tests.support.payments import encoded

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message

_BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
_STEP_S = 20
"""Between one event and the next, by the events' own time."""
_CUSTOMERS = 80
_TURN_S = 0.05
_PATIENCE_S = 180.0
_BROKEN = (
    b'{"event_id": ',
    b"\xff\xfe\x00",
    b"[]",
    b"null",
    b"",
    b'{"event_id": 7}',
    b'{"event_id": "x", "amount": "NaN"}',
    b"[" * 20_000,
    b'{"event_id": "' + b"x" * 40_000,
)


class Load:
    """``rate`` is in events a second; 0 rests."""

    def __init__(self, bootstrap: str, pipeline: Pipeline, seed: str, rate: int) -> None:
        self.acknowledged = 0
        self.problems: list[str] = []
        self._pipeline = pipeline
        self._full, self._rate = rate, 0
        self._random = random.Random(seed)
        self._producer = plain_producer(bootstrap)
        self._drawn = 0
        self._recent: deque[tuple[int, dict[str, Any]]] = deque(maxlen=300)
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._thread.start()

    def go(self) -> None:
        """Send at the rate."""
        self._rate = self._full

    def rest(self) -> None:
        """Send nothing more; returns when Kafka has everything. Raises TimeoutError."""
        self._rate = 0
        with self._turn:
            left = self._producer.flush(_PATIENCE_S)
        if left:
            raise TimeoutError(f"Kafka has not taken {left} events")

    def burst(self, count: int) -> None:
        """So many at once."""
        with self._turn:
            for _ in range(count):
                self._send(*self._draw())

    def poison(self, count: int) -> None:
        """So many records that are no events."""
        with self._turn:
            for _ in range(count):
                key = f"c{self._random.randrange(_CUSTOMERS)}".encode()
                self._send(key, self._random.choice(_BROKEN), poison=True)

    def tell(self, event_ids: list[str]) -> dict[str, bool]:
        """It becomes known of these whether they were fraud."""
        told = {event_id: self._random.random() < 0.6 for event_id in event_ids}
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        with self._turn:
            for event_id, fraud in told.items():
                label = "fraud" if fraud else "legitimate"
                message = {"event_id": event_id, "label": label, "observed_at": now, "source": "analyst"}
                self._produce(self._pipeline.topics.outcomes, event_id.encode(), json.dumps(message).encode())
        return told

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(_TURN_S):
            now = time.monotonic()
            due, before = self._rate * min(now - before, 1.0), now
            with self._turn:
                for _ in range(round(due)):
                    self._send(*self._draw())
                self._producer.poll(0)

    def _send(self, key: bytes, value: bytes, *, poison: bool = False) -> None:
        self._produce(self._pipeline.topics.events, key, value, [(POISON, b"1")] if poison else None)

    def _produce(self, topic: str, key: bytes, value: bytes, headers: Any = None) -> None:
        self._producer.produce(topic, value=value, key=key, headers=headers, on_delivery=self._delivered)
        self._producer.poll(0)

    def _delivered(self, error: object, message: Message) -> None:
        if error is not None:
            self.problems.append(f"not taken by Kafka: {error}")
        elif message.topic() == self._pipeline.topics.events:
            self.acknowledged += 1

    def _draw(self) -> tuple[bytes, bytes]:
        """A new payment, mostly; sometimes one comes again, or another body comes under its id."""
        luck = self._random.random()
        if luck < 0.03 and self._recent:
            number, changes = self._random.choice(self._recent)
            return encoded(number, **changes, **({"channel": "other"} if luck < 0.01 else {}))
        self._drawn += 1
        self._recent.append((self._drawn, self._payment(self._drawn)))
        return encoded(self._drawn, **self._recent[-1][1])

    def _payment(self, number: int) -> dict[str, Any]:
        behind = self._random.choice((0, 0, 0, 100, 900, 3_500)) + 9_000 * (self._random.random() < 0.01)
        when = _BEGIN + timedelta(seconds=number * _STEP_S - behind)
        return {
            "event_time": when.isoformat().replace("+00:00", "Z"),
            "customer_id": f"c{self._random.randrange(_CUSTOMERS)}",
            "amount": self._random.choice((10, 25.5, 99.99, 450, 5_200)),
            "country": self._random.choice(("DE", "DE", "FR")),
            "device_id": self._random.choice((None, "d1", "d2")),
        }
