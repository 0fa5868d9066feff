"""A stream of payments that goes on while things break, and the watch over what is decided about it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka import TopicPartition

from feature_store.units import to_text
from streams.kafka import ensure_topics, pipeline_topics, plain_producer
from streams.messages import OutcomeDelta
from tests.support.kafka import committed_consumer
from tests.support.payments import MONDAY, SECOND, encoded

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message

PATIENCE_S = 150
_PER_SECOND = 300
_AHEAD = 400
"""Events that may wait for a decision: more are not sent, so that a slow machine has no more to check."""
_CUSTOMERS = 150


@dataclass
class Load:
    """Sends events as they are decided; ``random`` chooses them."""

    bootstrap: str
    pipeline: Pipeline
    random: random.Random
    sent: int = 0
    to_decide: int = 0
    decided: int = 0
    sent_to: Counter[int] = field(default_factory=Counter)
    """Partition -> the events that Kafka has taken."""
    told: list[int] = field(default_factory=list)
    """The ``route_seq`` of every outcome delta."""
    told_on: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Topic -> those that were sent there."""

    def __post_init__(self) -> None:
        ensure_topics(self.bootstrap, pipeline_topics(self.pipeline))
        self._producer = plain_producer(self.bootstrap)
        self._problems: list[object] = []
        partitions = range(self.pipeline.topics.partitions)
        self._read = {TopicPartition(self.pipeline.topics.decisions, p): 0 for p in partitions}
        self._recent: deque[tuple[int, dict[str, Any]]] = deque(maxlen=400)
        self._known: deque[tuple[int, OutcomeDelta]] = deque(maxlen=400)

    def until(self, enough: Callable[[], bool], look_after: Callable[[], None]) -> None:
        """Go on until ``enough``; ``look_after`` is called all the time."""
        if not enough():
            asyncio.run(self._until(enough, look_after))

    def more(self, decisions: int, look_after: Callable[[], None]) -> None:
        """Go on until so many more decisions were seen."""
        goal = self.decided + decisions
        self.until(lambda: self.decided >= goal, look_after)

    def rest(self, look_after: Callable[[], None]) -> None:
        """Send nothing more; return when all is decided."""
        self.flush()
        goal = self.to_decide
        if self.decided < goal:
            asyncio.run(self._until(lambda: self.decided >= goal, look_after, sending=False))

    def offer(self, count: int) -> None:
        """Hand events to the client, whether or not Kafka is there to take them."""
        for _ in range(count):
            key, value = self._draw()
            self._producer.produce(self.pipeline.topics.events, value, key=key, on_delivery=self._delivered)
            self._producer.poll(0)
            self.sent += 1

    def flush(self) -> None:
        """Return when Kafka has everything."""
        assert self._producer.flush(PATIENCE_S) == 0
        assert not self._problems, self._problems[0]

    def tell_outcomes(self, count: int) -> None:
        """It becomes known that some of the decided events were fraud, of others that they were not."""
        for partition, found in self.random.sample(list(self._known), min(count, len(self._known))):
            for fraud in (1, -1)[: self.random.choice((1, 1, 2))]:
                self.told.append(len(self.told) + 1)
                told = msgspec.structs.replace(found, route_seq=self.told[-1], fraud=fraud)
                places: list[tuple[str, dict[str, Any]]] = [
                    (self.pipeline.topics.entity_outcomes, {"partition": partition})
                ]
                for stage in self.pipeline.counting_stages:
                    if (key := told.entity[stage.key]) is not None:
                        topic = self.pipeline.topics.outcomes_of(stage)
                        places.append((topic, {"key": str(key).encode()}))
                for topic, _ in places:
                    self.told_on[topic].add(told.route_seq)
                for topic, place in places * 2:  # as a keeper does that was killed in between
                    self._producer.produce(
                        topic, msgspec.json.encode(told), on_delivery=self._delivered, **place
                    )
        self.flush()

    async def _until(
        self, enough: Callable[[], bool], look_after: Callable[[], None], *, sending: bool = True
    ) -> None:
        started, before = time.monotonic(), self.sent
        async with committed_consumer(self.bootstrap) as consumer, asyncio.timeout(PATIENCE_S):
            consumer.assign(list(self._read))
            for partition, position in self._read.items():
                consumer.seek(partition, position)
            while not enough():
                look_after()
                if sending:
                    due = int((time.monotonic() - started) * _PER_SECOND) - (self.sent - before)
                    self.offer(min(due, _AHEAD - (self.to_decide - self.decided)))
                for partition, records in (await consumer.getmany(timeout_ms=50)).items():
                    self._read[partition] = records[-1].offset + 1
                    self._note(records)

    def _note(self, records: list[Any]) -> None:
        self.decided += len(records)
        for record in records[:: len(records) // 20 + 1]:
            found = msgspec.json.decode(record.value)
            delta = OutcomeDelta(
                route_seq=0,
                event_id=found["event_id"],
                event_time=found["event_time"],
                fraud=0,
                let_through=found["action"] == "approve",
                entity={name: found["event"][name] for name in self.pipeline.outcome_fields},
            )
            self._known.append((found["source"]["partition"], delta))

    def _draw(self) -> tuple[bytes, bytes]:
        """A new payment, mostly; sometimes one comes again, under the id of another, or is garbage."""
        luck = self.random.random()
        if luck < 0.01:
            return f"c{self.random.randrange(_CUSTOMERS)}".encode(), b'{"event_id": '
        if luck < 0.04 and self._recent:
            number, changes = self.random.choice(self._recent)
            return encoded(number, **changes, **({"channel": "other"} if luck < 0.02 else {}))
        self.to_decide += 1
        self._recent.append((self.to_decide, self._payment(self.to_decide)))
        return encoded(self.to_decide, **self._recent[-1][1])

    def _payment(self, number: int) -> dict[str, Any]:
        """A minute after the last one; out of order, sometimes too late for exact windows."""
        behind = self.random.choice((0, 0, 0, 300, 2_000, 3_500)) + 9_000 * (self.random.random() < 0.01)
        return {
            "event_time": to_text(MONDAY + (number * 60 - behind) * SECOND),
            "customer_id": f"c{self.random.randrange(_CUSTOMERS)}",
            "amount": self.random.choice((10, 25.5, 99.99, 450, 5_200)),
            "country": self.random.choice(("DE", "DE", "FR")),
            "device_id": self.random.choice((None, "d1", "d2")),
        }

    def _delivered(self, error: object, message: Message) -> None:
        if error is not None:
            self._problems.append(error)
        elif message.topic() == self.pipeline.topics.events:
            self.sent_to[message.partition() or 0] += 1
