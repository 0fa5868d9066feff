"""One contender at a time empties a prefilled topic; what counts is its CPU time, seen from outside.

Each runs twice, on a short stream and on a long one, until every decision is visible to a read_committed
reader. What the long run costs beyond the short one is the cost of the events between: starting, compiling,
joining and reading ahead are in both.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.machine import cpu_seconds, pinned
from streams.kafka import TopicPartition, reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

_START_S, _SILENCE_S = 120.0, 60.0


class ContestError(Exception):
    """A contender ended, fell silent, or did something else than its job."""


@dataclass(frozen=True)
class Entry:
    """A process that reads ``events`` events and writes one decision for each."""

    command: list[str]
    events: int
    decisions: str
    """The topic that it writes to."""
    counters: Callable[[], dict[str, float]] = dict
    """What it counts itself, asked at the end."""
    feature_log: str = ""
    """The topic of its feature log, where it keeps one."""


@dataclass(frozen=True)
class Run:
    """What one process did."""

    events: int
    cpu_s: float
    wall_s: float
    """From the first decision seen to the last."""
    counted: dict[str, float]


@dataclass(frozen=True)
class Result:
    """What the events between the short and the long run cost."""

    guarantee: str
    events: int
    cpu_s: float
    busy: float
    """Share of the long run in which the core was used; well below one: it waited for the broker."""
    counted: dict[str, float] = field(default_factory=dict)

    @property
    def per_cpu_second(self) -> float:
        """Decisions for one second of user and system time, of all its threads."""
        return self.events / self.cpu_s


def between(guarantee: str, short: Run, long: Run) -> Result:
    """The result of two runs. Raises ContestError where they are too short to tell."""
    if long.cpu_s <= short.cpu_s:
        raise ContestError(f"{long.events:,} events took no more time than {short.events:,}: too few")
    cpu_s = long.cpu_s - short.cpu_s
    counted = {name: value - short.counted.get(name, 0.0) for name, value in long.counted.items()}
    busy = cpu_s / max(long.wall_s - short.wall_s, cpu_s)
    return Result(guarantee, long.events - short.events, cpu_s, busy, counted)


def race(bootstrap: str, entry: Entry, core: int, log: Path, partitions: int) -> Run:
    """Run one process on a core until every event has its decision. Raises ContestError."""
    consumer = reader(bootstrap)
    consumer.assign([TopicPartition(entry.decisions, p, 0) for p in range(partitions)])
    try:
        with pinned(entry.command, core, log) as process:
            seen, first, last = 0, 0.0, time.monotonic()
            while seen < entry.events:
                fresh = sum(message.error() is None for message in consumer.consume(10_000, 0.02))
                if fresh:
                    seen += fresh
                    last = time.monotonic()
                    first = first or last
                else:
                    _check(process, f"after {seen:,} of {entry.events:,} decisions", first, last, log)
            return Run(seen, cpu_seconds(process.pid), last - first, entry.counters())
    finally:
        consumer.close()


def _check(process: subprocess.Popen[bytes], when: str, first: float, last: float, log: Path) -> None:
    silent_s, ended = time.monotonic() - last, process.poll()
    if ended is None and silent_s < (_SILENCE_S if first else _START_S):
        return
    tail = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
    why = f"fell silent for {silent_s:.0f} s" if ended is None else f"ended with {ended}"
    raise ContestError(f"it {why} {when}: {tail}")
