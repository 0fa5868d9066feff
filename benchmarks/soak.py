"""Scorer and keeper at a steady rate for a long time: memory, file handles and waiting must not grow."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from benchmarks.contest import ContestError
from benchmarks.probe import Probe
from benchmarks.stage import scorer_process, stage
from benchmarks.visits import declaration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.stage import Stage

MINUTES, RATE, ENTITIES = 60.0, 500, 10_000
_EVERY_S = 1.0
_WARM = 0.5
"""The share of the time after which caches, windows and known ids are full."""
_WINDOW = "1m"


@dataclass(frozen=True)
class Course:
    """One process: where it was at the end, and what it gained in an hour, fitted to the later half."""

    memory_mb: float
    memory_mb_per_hour: float
    handles: float
    handles_per_hour: float
    threads: float
    memory_by_tenth_mb: list[int]
    """Where it was after each tenth of the time."""


@dataclass(frozen=True)
class Soaked:
    """What came of it."""

    minutes: float
    rate: int
    decided: int
    p50_ms: float
    p99_ms: float
    p99_ms_first_half: float
    worst_ms: float
    processes: Mapping[str, Course]


def main(minutes: float = MINUTES, rate: int = RATE, store_memory: int | None = None) -> dict[str, Any]:
    """Measure on an Apache Kafka of its own; prints what came of it."""
    found = measure(minutes, rate, store_memory)
    print(
        f"{found.decided:,} events at {rate} a second in {minutes:g} minutes, each decided once; second "
        f"half: p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms (first half "
        f"{found.p99_ms_first_half:.1f}), worst {found.worst_ms:.0f} ms"
    )
    print(f"{'':>8} {'memory':>9} {'an hour':>12} {'handles':>8} {'an hour':>8} {'threads':>8}")
    for name, each in found.processes.items():
        print(
            f"{name:>8} {each.memory_mb:>6,.0f} MB {each.memory_mb_per_hour:>+9,.1f} MB {each.handles:>8.0f} "
            f"{each.handles_per_hour:>+8.1f} {each.threads:>8.0f}   {each.memory_by_tenth_mb}"
        )
    return {"soak": asdict(found)}


def measure(minutes: float, rate: int, store_memory: int | None = None) -> Soaked:
    """``store_memory``: MiB that the keeper's database takes at most, if not the default.

    Raises ContestError where a decision is missing or comes twice, or a process ends.
    """
    tree = declaration((_WINDOW,), remembered=_WINDOW, lateness=_WINDOW, snapshots={"every": "10s"})
    if store_memory is not None:
        tree["training"] = {"store_memory_mb": store_memory}
    with ExitStack() as stack:
        on = stack.enter_context(stage(tree))
        watched = {
            "scorer": stack.enter_context(scorer_process(on)),
            "keeper": stack.enter_context(_keeper(on)),
        }
        probe = Probe(on, ENTITIES, rate, first=0)
        stack.callback(probe.close)
        samples = _Samples(watched, minutes * 60)
        try:
            probe.run(lambda elapsed: elapsed < 1.0)  # until all of it runs
            waits = [each.seconds * 1e3 for each in sorted(probe.run(samples.going), key=lambda w: w.number)]
        except ContestError as error:
            codes = {name: process.poll() for name, process in watched.items()}
            tail = on.log.read_text(encoding="utf-8")[-2_000:]
            raise ContestError(f"{error}; exit codes {codes}; the scorer's log ends: {tail}") from error
    first, second = np.array(waits[: len(waits) // 2]), np.array(waits[len(waits) // 2 :])
    p50, p99 = (float(ms) for ms in np.percentile(second, [50, 99]))
    return Soaked(
        minutes,
        rate,
        len(waits),
        p50,
        p99,
        float(np.percentile(first, 99)),
        float(second.max()),
        {name: samples.course(name) for name in watched},
    )


class _Samples:
    """Looks at the processes every second."""

    def __init__(self, watched: Mapping[str, subprocess.Popen[bytes]], seconds: float) -> None:
        self._watched = watched
        self._seconds = seconds
        self._due = 0.0
        self._taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in watched}

    def going(self, elapsed: float) -> bool:
        """As the probe asks."""
        if elapsed >= self._due:
            self._due = elapsed + _EVERY_S
            for name, process in self._watched.items():
                self._taken[name].append((elapsed, *_usage(name, process)))
        return elapsed < self._seconds

    def course(self, name: str) -> Course:
        """Slopes by least squares over what was taken after the warm-up."""
        whole = np.array(self._taken[name])
        tenths = [round(each[-1]) for each in np.array_split(whole[:, 1], 10) if len(each)]
        taken = whole[whole[:, 0] >= _WARM * self._seconds]
        hours = taken[:, 0] / 3_600
        memory, handles = (float(np.polyfit(hours, taken[:, n], 1)[0]) for n in (1, 2))
        return Course(float(taken[-1, 1]), memory, float(taken[-1, 2]), handles, float(taken[-1, 3]), tenths)


def _usage(name: str, process: subprocess.Popen[bytes]) -> tuple[float, float, float]:
    if process.poll() is not None:
        raise ContestError(f"the {name} ended with code {process.returncode}")
    found = psutil.Process(process.pid)
    return found.memory_info().rss / 1e6, float(found.num_fds()), float(found.num_threads())


@contextmanager
def _keeper(on: Stage) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "console.cli", "keeper", "--config", str(on.config), "--port", "0"]
    told = ["--broker", on.broker.bootstrap, "--state-dir", str(on.folder / "state")]
    with (
        (on.folder / "keeper.log").open("wb") as log,
        subprocess.Popen([*command, *told], stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
