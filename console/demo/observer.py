"""How long decisions take, seen from outside, by a process that reads events and decisions as they come.

    python -m console.demo.observer --config FILE --bootstrap B --out FILE

A latency is the moment at which a reader with ``read_committed`` holds the decision, minus Kafka's record
time of the event: the way in, scoring, the transaction's commit and the way out, by this machine's clock.
"""

from __future__ import annotations

import argparse
import signal
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import structlog

from console.lifeline import hold_lifeline
from console.logs import configure_logs
from feature_store.declaration.load import load_pipeline
from streams.kafka import Cluster, Consumer, TopicPartition, end_offsets, reader
from streams.messages import Amended, Source

if TYPE_CHECKING:
    from streams.kafka import Message

READY = "observer_ready"
_WRITE_SECONDS = 0.5
_RECENT_SECONDS = 10.0
_BATCH = 5_000


class Percentiles(msgspec.Struct, frozen=True):
    """Milliseconds; None before anything was seen."""

    count: int = 0
    p50: float | None = None
    p99: float | None = None
    p999: float | None = None

    @classmethod
    def of(cls, milliseconds: list[float]) -> Percentiles:
        """The percentiles of ``milliseconds``."""
        if not milliseconds:
            return cls()
        found = np.percentile(milliseconds, [50, 99, 99.9])
        return cls(len(milliseconds), *(round(float(each), 2) for each in found))


class Observed(msgspec.Struct, frozen=True):
    """What the observer writes."""

    total: Percentiles
    recent: Percentiles


class _Decided(msgspec.Struct):
    source: Source
    amends: Amended | None = None


class LatencyMeter:
    """Pairs decisions with their events by position, whichever is seen first."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], float] = {}
        self._all: list[float] = []
        self._recent: deque[tuple[float, float]] = deque()

    def event(self, position: tuple[int, int], record_time: float) -> None:
        """An event, with Kafka's record time in ms."""
        self._meet(position, -record_time)

    def decision(self, position: tuple[int, int], seen: float) -> None:
        """The decision about the record at ``position``, seen at ``seen`` ms."""
        self._meet(position, seen)

    def observed(self, now: float) -> Observed:
        """Percentiles of everything, and of the last seconds before ``now`` (ms)."""
        while self._recent and self._recent[0][0] < now - _RECENT_SECONDS * 1_000:
            self._recent.popleft()
        return Observed(Percentiles.of(self._all), Percentiles.of([each for _, each in self._recent]))

    def _meet(self, position: tuple[int, int], signed: float) -> None:
        other = self._waiting.pop(position, None)
        if other is None:
            self._waiting[position] = signed
            return
        latency = signed + other
        self._all.append(latency)
        self._recent.append((max(signed, other), latency))


def observe(bootstrap: str, events: str, decisions: str, out: Path, stop: threading.Event) -> None:
    """Measure until ``stop`` is set, and keep ``out`` up to date."""
    meter = LatencyMeter()
    decoder = msgspec.json.Decoder(_Decided)
    consumer = _following(bootstrap, (events, decisions))
    structlog.get_logger().info(READY)
    written = time.monotonic()
    try:
        while not stop.is_set():
            first = consumer.poll(0.1)
            batch = [] if first is None else [first, *consumer.consume(_BATCH, 0)]
            seen = time.time() * 1_000
            for message in batch:
                _take(meter, message, events, decoder, seen)
            if time.monotonic() - written > _WRITE_SECONDS:
                _write(out, meter.observed(seen))
                written = time.monotonic()
    finally:
        consumer.close()
        _write(out, meter.observed(time.time() * 1_000))


def read_observed(path: Path) -> Observed:
    """The observer's newest figures; empty before the first."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Observed)
    except FileNotFoundError:
        return Observed(Percentiles(), Percentiles())


def _take(
    meter: LatencyMeter, message: Message, events: str, decoder: msgspec.json.Decoder[_Decided], seen: float
) -> None:
    partition, offset = message.partition(), message.offset()
    if message.error() is not None or partition is None or offset is None:
        return
    if message.topic() == events:
        meter.event((partition, offset), message.timestamp()[1])
        return
    decided = decoder.decode(message.value() or b"")
    if decided.amends is None:  # one that amends comes after the event was dealt with
        meter.decision((decided.source.partition, decided.source.offset), seen)


def _following(bootstrap: str, topics: tuple[str, ...]) -> Consumer:
    consumer = reader(bootstrap)
    consumer.assign(
        [TopicPartition(topic, p, end) for topic in topics for p, end in end_offsets(consumer, topic).items()]
    )
    return consumer


def _write(out: Path, observed: Observed) -> None:
    scratch = out.with_suffix(".new")
    scratch.write_bytes(msgspec.json.encode(observed))
    scratch.replace(out)


def main() -> None:
    """Run as a process until SIGTERM."""
    hold_lifeline()
    configure_logs()
    parser = argparse.ArgumentParser(prog="python -m console.demo.observer")
    parser.add_argument("--bootstrap", required=True)
    for name in ("config", "out"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    options = parser.parse_args()
    pipeline = load_pipeline(options.config)
    cluster = Cluster.of(options.bootstrap, pipeline)
    observe(cluster, pipeline.topics.events, pipeline.topics.decisions, options.out, stop)


if __name__ == "__main__":
    main()
