"""Processes that something happens to: started again when they end, and remembered with how they ended."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from tests.chaos.forked import Beginning, Forked
from tests.support.payments import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_END_S = 90.0
_PAUSE_S = 1.0


@dataclass
class Part:
    """One process at a time; its output is in ``log``."""

    name: str
    command: Sequence[str]
    log: Path
    arguments: Sequence[str] = ()
    """Of the product's program, where it is one of its processes, in a network namespace ``room``."""
    room: str = ""
    ended: Counter[int] = field(default_factory=Counter)
    """Exit status -> how often it ended so by itself since this was looked at."""
    stopped: Counter[int] = field(default_factory=Counter)
    """Exit status -> how often it ended so when it was told to, since this was looked at."""
    _process: subprocess.Popen[bytes] | Forked | None = None
    _wanted: bool = False
    _not_before: float = 0.0
    _turn: threading.RLock = field(default_factory=threading.RLock)
    """Two faults at once look after everything, each in a thread of its own."""

    @property
    def pid(self) -> int:
        """Its process id. Raises ProcessLookupError where it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise ProcessLookupError(self.name)
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, environment: Mapping[str, str] | None = None, point: str = "", times: int = 1) -> None:
        """Start it, perhaps this once with another environment, or to die at a point of its work."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        own = {"PYTHONFAULTHANDLER": "1", **ENVIRONMENT, **(environment or {})}
        with self._turn:
            self._process = (
                Forked(Beginning(self.arguments, self.log, self.room, own, point, times))
                if self.arguments and not environment
                else self._anew(own)
            )
            self._wanted, self._not_before = True, 0.0

    def _anew(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                list(self.command),
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.runs:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL; it stays away until it is started."""
        with self._turn:
            self._wanted = False
            self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(_END_S)

    def stop(self, patience_s: float = _END_S) -> int:
        """SIGTERM; how it ended. Raises TimeoutError where it does not end."""
        with self._turn:
            self._wanted = False
            told = self.runs
            self.send(signal.SIGTERM)
        try:
            code = self._process.wait(patience_s) if self._process is not None else 0
        except subprocess.TimeoutExpired as error:
            self.send(signal.SIGABRT)  # faulthandler says what it waits for
            raise TimeoutError(f"{self.name} does not end") from error
        if told:
            self.stopped[code] += 1
        return code

    def end(self) -> None:
        """It runs no more, however that is."""
        self.send(signal.SIGCONT)
        self.kill()

    def wait(self, seconds: float) -> int | None:
        """How it ended, None where it did not."""
        try:
            return self._process.wait(seconds) if self._process is not None else None
        except subprocess.TimeoutExpired:
            return None

    def revive(self) -> None:
        """Start it again where it has ended by itself, a moment later: as a supervisor does."""
        with self._turn:
            code = self._process.poll() if self._wanted and self._process is not None else None
            if code is None:
                return
            if not self._not_before:
                self.ended[code] += 1
                self._not_before = time.monotonic() + _PAUSE_S
            elif time.monotonic() >= self._not_before:
                self.start()

    def children(self) -> list[int]:
        """The processes that it started and that run now."""
        if not self.runs:
            return []
        try:
            return [child.pid for child in psutil.Process(self.pid).children()]
        except psutil.NoSuchProcess:  # it has just ended
            return []

    def size(self) -> int:
        """How long its log is."""
        return self.log.stat().st_size if self.log.exists() else 0

    def said(self, since: int) -> bytes:
        """What it said from there on."""
        if not self.log.exists():
            return b""
        with self.log.open("rb") as file:
            file.seek(since)
            return file.read()
