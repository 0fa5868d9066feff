"""All processes of a run together."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import httpx

from console.lifeline import GRACE_SECONDS
from console.supervisor.process import SupervisedProcess
from console.supervisor.spec import AnswersAt, RestartPolicy, State
from feature_store.errors import SluicegateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.supervisor.logbook import LogBook
    from console.supervisor.spec import ProcessSpec

_LOOK_SECONDS = 0.1
_ANSWER_SECONDS = 2.0


class ProcessFailedError(SluicegateError):
    """A process keeps failing, or did not become ready; the message holds its last log lines."""


class Supervisor:
    """Starts processes, keeps them running, and stops them in the order that is asked for."""

    def __init__(self, logbook: LogBook, policy: RestartPolicy | None = None) -> None:
        self._logbook = logbook
        self._policy = policy or RestartPolicy()
        self._changed = threading.Condition()
        self._processes: dict[str, SupervisedProcess] = {}

    @property
    def processes(self) -> dict[str, SupervisedProcess]:
        """Every process by name."""
        return dict(self._processes)

    def start(self, specs: Iterable[ProcessSpec]) -> None:
        """Start processes; they are not ready yet."""
        for spec in specs:
            process = SupervisedProcess(spec, self._policy, self._logbook, self._notify)
            self._processes[spec.name] = process
            process.start()

    def wait_ready(self, timeout: float) -> None:
        """Return when every process is ready.

        Raises ProcessFailedError when one gives up, or is not ready within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        with httpx.Client(timeout=_ANSWER_SECONDS, trust_env=False) as http:
            self._wait_ready(http, deadline, timeout)

    def _wait_ready(self, http: httpx.Client, deadline: float, timeout: float) -> None:
        while starting := [p for p in self._processes.values() if p.state is not State.READY]:
            self.raise_failure()
            for process in starting:
                if isinstance(process.spec.ready, AnswersAt) and _answers(http, process.spec.ready.url):
                    process.mark_ready()
            if time.monotonic() > deadline:
                name = starting[0].spec.name
                raise ProcessFailedError(f"{name} was not ready within {timeout:.0f} s{self._words(name)}")
            with self._changed:
                self._changed.wait(_LOOK_SECONDS)

    def replace(self, spec: ProcessSpec, timeout: float) -> None:
        """Stop the process of that name, if it runs, and start ``spec`` in its place until it is ready.

        Raises ProcessFailedError as ``wait_ready`` does.
        """
        self.stop([spec.name])
        self.start([spec])
        self.wait_ready(timeout)

    def raise_failure(self) -> None:
        """Raise ProcessFailedError for a process that has given up."""
        for name, process in self._processes.items():
            if process.state is State.FAILED:
                raise ProcessFailedError(
                    f"{name} failed {process.starts} times and was given up "
                    f"(exit status {process.status}){self._words(name)}"
                )

    def wait(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for any process to change its state."""
        with self._changed:
            self._changed.wait(timeout)

    def stop(self, names: Iterable[str], grace: float = GRACE_SECONDS) -> None:
        """Stop the named processes side by side and wait until they have ended."""
        stopping = [self._processes[name] for name in names if name in self._processes]
        for process in stopping:
            process.ask_to_stop()
        for process in stopping:
            process.stop(grace)

    def _words(self, name: str) -> str:
        said = self._logbook.last_lines(name)
        return f"; it said last (all of it in {self._logbook.path}):\n{said}" if said else ""

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
