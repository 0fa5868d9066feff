"""A command that runs under the guard, seen from the program that wants it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_GUARD_SECONDS = 5.0
_PACKAGES = Path(__file__).resolve().parents[2]


class GuardedProcess:
    """A running command that ends with this program, however this program ends.

    It does not see the terminal's signals. Leaving the `with` block stops it: SIGTERM, `grace`
    seconds, SIGKILL. Output goes to `output`; the descriptors in `keep` stay open in the guard.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: Path,
        pid_file: Path,
        grace: float = 15.0,
        keep: Sequence[int] = (),
    ) -> None:
        self.output = output
        self._pid_file = pid_file
        self._grace = grace
        for path in (output, pid_file):
            path.parent.mkdir(parents=True, exist_ok=True)
        pid_file.unlink(missing_ok=True)
        guard = [sys.executable, "-m", "streams.broker.guard", "--parent", str(os.getpid())]
        guard += ["--pid-file", str(pid_file), "--grace", str(grace), "--", *command]
        with output.open("ab") as sink:
            self._guard = subprocess.Popen(
                guard,
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(keep),
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": _python_path()},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the command itself while it runs."""
        with suppress(FileNotFoundError, ValueError):
            return int(self._pid_file.read_text(encoding="ascii"))
        return None

    @property
    def guard_pid(self) -> int:
        """The process id of its guard."""
        return self._guard.pid

    def poll(self) -> int | None:
        """Return the command's exit status, or None while it runs."""
        return self._guard.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the command ends by itself; raises subprocess.TimeoutExpired."""
        return self._guard.wait(timeout)

    def stop(self) -> int:
        """Stop the command and return its exit status; safe to call again."""
        # Closing the pipe is the request: an interrupt during the wait cannot take it back.
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        try:
            return self._guard.wait(self._grace + _GUARD_SECONDS)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            return self._guard.wait()


def _python_path() -> str:
    """Return a module path on which the guard finds this package from any working directory."""
    inherited = os.environ.get("PYTHONPATH")
    return f"{_PACKAGES}{os.pathsep}{inherited}" if inherited else str(_PACKAGES)
