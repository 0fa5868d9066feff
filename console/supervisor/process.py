"""One supervised process: its output read, its end noticed, its restart timed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from console.lifeline import GRACE_SECONDS, LIFELINE
from console.supervisor.spec import SaysReady, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.supervisor.logbook import LogBook
    from console.supervisor.spec import ProcessSpec, RestartPolicy

_LAST_WORDS_SECONDS = 1.0
_PACKAGES = Path(__file__).resolve().parents[2]


class SupervisedProcess(threading.Thread):
    """Runs one process until ``stop``; ``changed`` is called after every change of ``state``."""

    def __init__(
        self, spec: ProcessSpec, policy: RestartPolicy, logbook: LogBook, changed: Callable[[], None]
    ) -> None:
        super().__init__(name=f"supervise-{spec.name}", daemon=True)
        self.spec = spec
        self.state = State.STARTING
        self.starts = 0
        self.status: int | None = None
        self._policy = policy
        self._logbook = logbook
        self._changed = changed
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    def run(self) -> None:
        """Start, watch, start again, until stopped or hopeless."""
        failures = 0
        while (child := self._start()) is not None:
            began = time.monotonic()
            self.status = self._watch(child)
            if self._stopping.is_set():
                break
            lived = time.monotonic() - began
            failures = 1 if lived >= self._policy.settled else failures + 1
            if self._policy.gives_up(self.status, failures):
                self._tell("error", "gave_up", failures=failures)
                self._become(State.FAILED)
                return
            pause = self._policy.pause(failures)
            said = self._logbook.last_words(self.spec.name)
            self._tell("warning", "ended_unexpectedly", starting_again_in_s=pause, said=said)
            self._become(State.WAITING)
            self._stopping.wait(pause)
        self._become(State.STOPPED)

    def ask_to_stop(self) -> None:
        """Send SIGTERM, and start it no more."""
        self._stopping.set()
        with self._lock, suppress(ProcessLookupError):
            if self._child is not None:
                self._child.terminate()

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Stop the process: SIGTERM, ``grace`` seconds, SIGKILL. Returns when it has ended."""
        self.ask_to_stop()
        self.join(grace)
        if self.is_alive() and self._child is not None:
            self._tell("warning", "killed", after_s=grace)
            _kill_group(self._child)
            self.join()

    def mark_ready(self) -> None:
        """Note that the process has shown that it is ready."""
        if self.state is State.STARTING:
            self._become(State.READY)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self._become(State.STARTING)
            # A group of its own: the terminal's Ctrl-C reaches only the supervisor.
            self._child = subprocess.Popen(
                self.spec.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
                env=_environment(),
            )
            self.starts += 1
            self._tell("info", "started", pid=self._child.pid)
            return self._child

    def _watch(self, child: subprocess.Popen[bytes]) -> int:
        """Read what the process says until it has ended; returns its status."""
        reader = threading.Thread(target=self._read, args=(child.stdout,), daemon=True)
        reader.start()
        status = child.wait()
        _kill_group(child)
        reader.join(_LAST_WORDS_SECONDS)
        if child.stdin is not None:
            child.stdin.close()
        return status

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for raw in output:
                event = self._logbook.line(self.spec.name, raw)
                if isinstance(self.spec.ready, SaysReady) and event == self.spec.ready.event:
                    self.mark_ready()

    def _become(self, state: State) -> None:
        self.state = state
        self._changed()

    def _tell(self, level: str, event: str, **fields: float | str | None) -> None:
        self._logbook.tell(self.spec.name, level, event, status=self.status, **fields)


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process's group, its own children included."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    inherited = os.environ.get("PYTHONPATH")
    path = f"{_PACKAGES}{os.pathsep}{inherited}" if inherited else str(_PACKAGES)
    return {**os.environ, LIFELINE: "1", "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
