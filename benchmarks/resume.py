"""How long events wait while a scorer is stopped, killed, joined or gone for good, by size of its state."""

from __future__ import annotations

import shutil
import signal
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.field import fill
from benchmarks.probe import Probe, Wait
from benchmarks.scorers import Scorers, running_scorers
from benchmarks.stage import stage
from benchmarks.visits import declaration, visits

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (10_000, 100_000, 1_000_000)
RATE = 100
"""Events a second, so that what is measured is not the work itself."""
_SESSION = "10s"


@dataclass(frozen=True)
class Restart:
    """A scorer that ended and was started again at once; seconds."""

    waited: float
    """The longest that an event waited."""
    starting: float
    """Of it, until the new process was ready to take its partitions."""
    reading: float
    """Of it, bringing back their state."""
    cpu: float
    """Of processors, from the start of the process until it had its partitions."""


@dataclass(frozen=True)
class Moved:
    """Partitions went from one scorer to another; the longest that an event waited, seconds."""

    moved: float
    stayed: float
    """Of partitions that did not move."""


@dataclass(frozen=True)
class Resumed:
    """One size of state."""

    entities: int
    snapshot_mb: float
    memory_mb: float
    """Resident, of the scorer that has it all."""
    stopped: Restart
    killed: Restart
    log_alone: Restart
    """Killed, and no snapshot is left."""
    joined: Moved
    """A second scorer came."""
    gone: Moved
    """It was killed and did not come back: its session has to end first."""


def main(entities: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Measure each size on an Apache Kafka of its own; prints tables."""
    print(f"{RATE} events a second over all entities, session_timeout {_SESSION}; the longest wait, seconds")
    found = {}
    for size in entities:
        each = found[size] = measure(size)
        print(
            f"\n{size:,} entities: snapshots of {each.snapshot_mb:,.1f} MB, "
            f"{each.memory_mb:,.0f} MB in memory"
        )
        print(f"  {'':<28} {'waited':>7} {'starting':>9} {'reading':>8} {'CPU':>6}")
        for name, one in {
            "stopped, started again": each.stopped,
            "killed, started again": each.killed,
            "the same, by the log alone": each.log_alone,
        }.items():
            print(f"  {name:<28} {one.waited:>7.1f} {one.starting:>9.1f} {one.reading:>8.2f} {one.cpu:>6.1f}")
        for name, two in {"a second one came": each.joined, "it was gone for good": each.gone}.items():
            print(f"  {name:<28} {two.moved:>7.1f} (of partitions that stayed: {two.stayed:.2f})", flush=True)
    return {"resume": {str(size): asdict(each) for size, each in found.items()}}


def measure(entities: int) -> Resumed:
    """One size. Raises ContestError where a decision is missing or comes twice, or a scorer does not come."""
    tree = declaration(snapshots={"every": "1h"}, session_timeout=_SESSION)
    with ExitStack() as stack:
        on = stack.enter_context(stage(tree))
        _tell(f"{entities:,} entities")
        fill(on.broker.bootstrap, on.pipeline.topics.events, visits(entities))
        scorers = stack.enter_context(running_scorers(on))
        scorers.start(0)
        probe = Probe(on, entities, RATE)
        stack.callback(probe.close)
        _wait_until_idle(scorers, probe)
        memory = psutil.Process(scorers.running[0].pid).memory_info().rss / 1e6
        kept = on.folder / "state" / "snapshots"
        stopped = _restart(scorers, probe, signal.SIGTERM)
        size = sum(each.stat().st_size for each in kept.rglob("*.snapshot"))
        killed = _restart(scorers, probe, signal.SIGKILL)
        log_alone = _restart(scorers, probe, signal.SIGKILL, lambda: shutil.rmtree(kept))
        joined = probe.run(scorers.joined(1))
        moved = scorers.partitions(1)
        gone = probe.run(scorers.gone(1, back_to=0))
    came, left = _moved(joined, moved), _moved(gone, moved)
    return Resumed(entities, size / 1e6, memory, stopped, killed, log_alone, came, left)


def _restart(
    scorers: Scorers, probe: Probe, how: signal.Signals, meanwhile: Callable[[], object] = lambda: None
) -> Restart:
    waits = probe.run(scorers.replaced(0, how, meanwhile))
    return Restart(max(each.seconds for each in waits), *scorers.times(0))


def _moved(waits: list[Wait], moved: set[int]) -> Moved:
    def longest(*, there: bool) -> float:
        return max(each.seconds for each in waits if (each.partition in moved) == there)

    return Moved(longest(there=True), longest(there=False))


def _wait_until_idle(scorers: Scorers, probe: Probe) -> None:
    while max(each.seconds for each in probe.run(lambda elapsed: elapsed < 1.0)) > 1.0:
        scorers.check()


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
