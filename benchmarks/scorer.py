"""One scorer on Apache Kafka: events per second from a backlog, and latency at steady rates."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from benchmarks.stage import Stage, large_model, scorer_process, stage
from streams.kafka import Message, TopicPartition, reader
from streams.messages import Decision
from streams.sources import Scenario, run_simulate
from training.publish import Publisher

if TYPE_CHECKING:
    import subprocess

BACKLOG = 60_000
RATES = (500, 1_000, 2_000)
SECONDS = 15
OFFSET_END = -1
QUIET_S = 2


def main() -> None:
    """Print throughput and latency with a model of 300 trees acting."""
    with stage() as on:
        publisher = Publisher(on.broker.bootstrap, on.pipeline, lambda: "2026-01-05T00:00:00Z")
        publisher.publish(*large_model(on.pipeline, "large", 1), why="benchmark")
        run_simulate(on.pipeline, on.broker.bootstrap, Scenario(days=5, seed=1), limit=BACKLOG)
        with scorer_process(on) as process:
            first, last = _decided(on, BACKLOG, process)
            print(f"backlog: {BACKLOG / (last - first):,.0f} events/s, decided and committed exactly once")
            print(
                f"{'events/s':>9} {'p50':>9} {'p99':>9} {'p99.9':>9}   (event on Kafka -> decision visible)"
            )
            for number, rate in enumerate(RATES):
                latencies = _latencies(on, rate, seed=100 + number)
                p50, p99, p999 = np.percentile(latencies, [50, 99, 99.9])
                print(f"{rate:>9,} {p50:>6.1f} ms {p99:>6.1f} ms {p999:>6.1f} ms")


def _decided(on: Stage, count: int, process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wall times at which the first and the ``count``-th source record were accounted for."""
    consumer = reader(on.broker.bootstrap)
    topics = (on.pipeline.topics.decisions, on.pipeline.topics.dead_letters)
    partitions = range(on.pipeline.topics.partitions)
    consumer.assign([TopicPartition(topic, p, 0) for topic in topics for p in partitions])
    seen, first, last = 0, 0.0, 0.0
    duplicates_at_most = count // 500
    while seen < count - duplicates_at_most:
        if process.poll() is not None:
            raise SystemExit(f"the scorer ended: {on.log.read_text(encoding='utf-8')[-2_000:]}")
        found = [m for m in consumer.consume(10_000, 0.1) if m.error() is None]
        if found:
            last = time.monotonic()
            first = first or last
            seen += len(found)
    consumer.close()
    return first, last


def _latencies(on: Stage, rate: int, seed: int) -> list[float]:
    """Milliseconds from the event's Kafka time to the moment its decision was read, read_committed."""
    consumer = reader(on.broker.bootstrap)
    topics, partitions = on.pipeline.topics, range(on.pipeline.topics.partitions)
    consumer.assign(
        [TopicPartition(t, p, OFFSET_END) for t in (topics.events, topics.decisions) for p in partitions]
    )
    consumer.consume(1, 1.0)
    sender = threading.Thread(
        target=run_simulate,
        args=(on.pipeline, on.broker.bootstrap, Scenario(days=5, seed=seed)),
        kwargs={"rate": float(rate), "limit": rate * SECONDS},
    )
    sender.start()
    matched = Matches(topics.events)
    while sender.is_alive() or matched.quiet_for() < QUIET_S:
        first = consumer.poll(0.1)  # consume() alone would wait its whole time, and be measured with it
        for message in [first, *consumer.consume(1_000, 0)] if first is not None else []:
            if message.error() is None:
                matched.add(message)
    sender.join()
    consumer.close()
    return matched.latencies[len(matched.latencies) // 10 :]


class Matches:
    """Pairs every decision with its event by the source position that the decision names."""

    def __init__(self, events: str) -> None:
        self._events = events
        self._sent: dict[tuple[int, int], int] = {}
        self._decided: dict[tuple[int, int], float] = {}
        self._last = time.monotonic()
        self.latencies: list[float] = []

    def add(self, message: Message) -> None:
        """Take in an event or a decision, whichever comes first."""
        self._last = time.monotonic()
        now = time.time() * 1_000
        if message.topic() == self._events:
            place = (message.partition() or 0, message.offset() or 0)
            self._sent[place] = message.timestamp()[1]
        else:
            source = msgspec.json.decode(message.value() or b"", type=Decision).source
            place = (source.partition, source.offset)
            self._decided[place] = now
        if place in self._sent and place in self._decided:
            self.latencies.append(self._decided.pop(place) - self._sent.pop(place))

    def quiet_for(self) -> float:
        """Seconds since the last message."""
        return time.monotonic() - self._last
