"""Scorer processes that come and go while a probe asks for their course."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmarks.contest import ContestError
from benchmarks.machine import cpu_seconds

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from benchmarks.stage import Stage

_BEFORE_S, _AFTER_S, _EVERY_S, _PATIENCE_S = 2.0, 2.0, 0.05, 900.0


class Scorers:
    """Processes by slot, and what their logs say. Each course is what ``Probe.run`` takes."""

    def __init__(self, on: Stage) -> None:
        self._on = on
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self._started: dict[int, datetime] = {}
        self._cpu: dict[int, float] = {}

    def start(self, slot: int) -> None:
        """Start one; its log begins anew."""
        self._started[slot] = datetime.now(UTC)
        command = [*self._on.scorer_command(), "--slot", str(slot)]
        with self._log(slot).open("wb") as log:
            self.running[slot] = subprocess.Popen(command, stdout=log, stderr=log)

    def replaced(
        self, slot: int, how: signal.Signals, meanwhile: Callable[[], object]
    ) -> Callable[[float], bool]:
        """After a moment end the scorer, start it again, until it has partitions."""
        ended = restarted = False

        def back() -> bool:
            nonlocal ended, restarted
            if not ended:
                self.running[slot].send_signal(how)
                ended = True
            if not restarted and self.running[slot].poll() is not None:
                meanwhile()
                self.start(slot)
                restarted = True
            return restarted and self._has_partitions(slot)

        return _until(back)

    def joined(self, slot: int) -> Callable[[float], bool]:
        """After a moment another scorer comes, until it has partitions."""

        def has_some() -> bool:
            if slot not in self.running:
                self.start(slot)
            return self._has_partitions(slot)

        return _until(has_some)

    def gone(self, slot: int, back_to: int) -> Callable[[float], bool]:
        """After a moment a scorer is killed for good, until another has its partitions."""
        before = len(self._gained(back_to))

        def taken() -> bool:
            if slot in self.running:
                self._kill(slot)
            return any(line["partitions"] for line in self._gained(back_to)[before:])

        return _until(taken)

    def partitions(self, slot: int) -> set[int]:
        """What it has taken over since it was started."""
        return {p for line in self._gained(slot) for p in line["partitions"]}

    def times(self, slot: int) -> tuple[float, float, float]:
        """Seconds from its start until it was ready, from then until it had its partitions; of processors."""
        ready = next(_when(line) for line in self._lines(slot) if line["event"] == "scorer_ready")
        gained = _when(self._gained(slot)[0])
        starting, reading = ready - self._started[slot], gained - ready
        return starting.total_seconds(), reading.total_seconds(), self._cpu[slot]

    def check(self) -> None:
        """Raise ContestError where one has ended that should not have."""
        for slot, process in self.running.items():
            if process.poll() is not None:
                tail = self._log(slot).read_text("utf-8")[-1_000:]
                raise ContestError(f"scorer {slot} ended with code {process.returncode}: {tail}")

    def stop(self) -> None:
        """End all of them."""
        for slot in list(self.running):
            self._kill(slot)

    def _kill(self, slot: int) -> None:
        process = self.running.pop(slot)
        process.kill()
        process.wait()

    def _has_partitions(self, slot: int) -> bool:
        self.check()
        if not self.partitions(slot):
            return False
        self._cpu[slot] = cpu_seconds(self.running[slot].pid)
        return True

    def _gained(self, slot: int) -> list[Mapping[str, Any]]:
        return [line for line in self._lines(slot) if line["event"] == "partitions_gained"]

    def _lines(self, slot: int) -> list[dict[str, Any]]:
        lines = self._log(slot).read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"\n")]

    def _log(self, slot: int) -> Path:
        return self._on.folder / f"scorer-{slot}.log"


def _until(done: Callable[[], bool]) -> Callable[[float], bool]:
    """Ask now and then, after a moment; go on for another moment when it is done."""
    asked, since = 0.0, float("inf")

    def going(elapsed: float) -> bool:
        nonlocal asked, since
        if elapsed > _BEFORE_S and elapsed > asked + _EVERY_S and since > elapsed:
            asked = elapsed
            since = elapsed if done() else since
        if elapsed > _PATIENCE_S and since > elapsed:
            raise ContestError(f"the scorers did not come to what was waited for within {_PATIENCE_S:.0f} s")
        return elapsed < since + _AFTER_S

    return going


def _when(line: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(line["timestamp"])


@contextmanager
def running_scorers(on: Stage) -> Iterator[Scorers]:
    """None at first; killed in the end."""
    scorers = Scorers(on)
    try:
        yield scorers
    finally:
        scorers.stop()
