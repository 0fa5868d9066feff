"""A scorer starts far behind, while events go on: everything is decided once, and then it keeps up again."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from benchmarks.contest import ContestError
from benchmarks.field import fill
from benchmarks.machine import cpu_seconds
from benchmarks.probe import Probe
from benchmarks.stage import scorer_process, stage
from benchmarks.verify import number_of
from benchmarks.visits import declaration, visits
from streams.kafka import read_to_end

if TYPE_CHECKING:
    import subprocess

    from benchmarks.stage import Stage

EVENTS, ENTITIES, PARTITIONS, RATE = 1_000_000, 100_000, 4, 500
_AFTER_S = 5.0
_START_S = 1_800.0


@dataclass(frozen=True)
class CaughtUp:
    """What came of it; times from the start of the process."""

    events: int
    entities: int
    partitions: int
    live: int
    """Events that were sent meanwhile."""
    seconds: float
    """Until at most a second's worth of events waited."""
    per_second: float
    """Decided events a second, from start to then."""
    per_cpu_second: float
    memory_mb: float
    """The most that was resident."""
    longest_after_s: float
    """The longest wait of events that were sent after that."""


def main(
    events: int = EVENTS, entities: tuple[int, ...] = (ENTITIES,), partitions: int = PARTITIONS
) -> dict[str, Any]:
    """Measure on an Apache Kafka of its own, with the first of ``entities``; prints what came of it."""
    found = measure(events, min(entities[0], events), partitions)
    print(
        f"{found.events:,} events of {found.entities:,} entities waited on {found.partitions} partitions, "
        f"{RATE} a second went on: caught up {found.seconds:,.0f} s after its start "
        f"({found.per_second:,.0f} events a second; {found.per_cpu_second:,.0f} per CPU-second), "
        f"{found.memory_mb:,.0f} MB at most; {found.events + found.live:,} decisions, none missing, none "
        f"twice; from then on none waited longer than {found.longest_after_s * 1_000:,.0f} ms"
    )
    return {"backlog": asdict(found)}


def measure(events: int, entities: int, partitions: int) -> CaughtUp:
    """Raises ContestError where a decision is missing or comes twice."""
    tree = declaration(partitions=partitions, snapshots={"every": "1h"})
    with ExitStack() as stack:
        on = stack.enter_context(stage(tree))
        _tell(f"{events:,} events are put there")
        fill(on.broker.bootstrap, on.pipeline.topics.events, visits(entities, 0, events))
        probe = Probe(on, entities, RATE, first=events, patience_s=_START_S)
        stack.callback(probe.close)
        _tell("a scorer starts")
        process = stack.enter_context(scorer_process(on))
        course = _Course(probe, process)
        waits = probe.run(course.going)
        _check(on, events + len(waits))
    before = round(course.caught_up_s * RATE)
    decided = events + before
    return CaughtUp(
        events,
        entities,
        partitions,
        len(waits),
        course.caught_up_s,
        decided / course.caught_up_s,
        decided / course.cpu_s,
        course.memory / 1e6,
        max(each.seconds for each in sorted(waits, key=lambda w: w.number) if each.number >= events + before),
    )


class _Course:
    """Watches the scorer until it has caught up, and some seconds more."""

    def __init__(self, probe: Probe, process: subprocess.Popen[bytes]) -> None:
        self._probe = probe
        self._process = process
        self._asked = 0.0
        self.caught_up_s = 0.0
        self.cpu_s = 0.0
        self.memory = 0

    def going(self, elapsed: float) -> bool:
        """As the probe asks."""
        if elapsed < self._asked + 0.1:
            return True
        self._asked = elapsed
        if self._process.poll() is not None:
            raise ContestError(f"the scorer ended with code {self._process.returncode}")
        self.memory = max(self.memory, psutil.Process(self._process.pid).memory_info().rss)
        if not self.caught_up_s and self._probe.answered and self._probe.waiting <= RATE:
            self.caught_up_s, self.cpu_s = elapsed, cpu_seconds(self._process.pid)
        return not self.caught_up_s or elapsed < self.caught_up_s + _AFTER_S


def _check(on: Stage, count: int) -> None:
    times = np.zeros(count, np.int64)
    for message in read_to_end(on.broker.bootstrap, on.pipeline.topics.decisions):
        times[number_of(message)] += 1
    missing, twice = int((times == 0).sum()), int((times > 1).sum())
    if missing or twice:
        raise ContestError(f"{missing:,} of {count:,} events have no decision, {twice:,} more than one")


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
