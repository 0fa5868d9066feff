"""A guard process: runs one command and never lets it outlive the program that wanted it.

    python -m streams.broker.guard --parent PID --pid-file FILE --grace SECONDS -- COMMAND…

1. The program holds the writing end of the guard's standard input; however it ends, even by
   SIGKILL, that pipe closes, and the guard stops the command: SIGTERM, a grace, then SIGKILL.
   A changed parent process id means the same (a fork of the program may still hold the pipe).
2. SIGTERM to the guard means the same.
3. Where the kernel offers it (Linux), the command is killed when the guard itself is killed.
4. When the command ends by itself, the guard ends with its exit status.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PARENT_CHECK_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Guard one command; returns its exit status (128 + signal where a signal ended it)."""
    options = _parser().parse_args(arguments)
    signals = _signals_as_bytes()
    child = subprocess.Popen(
        options.command,
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=_die_with_guard(os.getpid()),  # noqa: PLW1509 - the guard has no threads
    )
    pid_file: Path = options.pid_file
    pid_file.write_text(f"{child.pid}\n", encoding="ascii")
    try:
        _watch(child, signals, parent=options.parent)
        _stop(child, grace=options.grace)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        pid_file.unlink(missing_ok=True)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m streams.broker.guard")
    parser.add_argument("--parent", type=int, required=True, help="process id to live with")
    parser.add_argument("--pid-file", type=Path, required=True, help="gets the command's id")
    parser.add_argument("--grace", type=float, required=True, help="seconds before SIGKILL")
    parser.add_argument("command", nargs="+")
    return parser


def _signals_as_bytes() -> int:
    """Turn signals into bytes on a pipe and return its reading end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    # A handler, not SIG_IGN: what is ignored would be inherited by the command.
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    return reading


def _watch(child: subprocess.Popen[bytes], signals: int, *, parent: int) -> None:
    """Return when the command has ended or has to."""
    stdin = sys.stdin.fileno()
    while child.poll() is None and os.getppid() == parent:
        ready, _, _ = select.select([stdin, signals], [], [], _PARENT_CHECK_SECONDS)
        if stdin in ready and not os.read(stdin, 1):
            return
        if signals in ready and signal.SIGTERM in os.read(signals, 4096):
            return


def _stop(child: subprocess.Popen[bytes], *, grace: float) -> None:
    if child.poll() is None:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(grace)


def _die_with_guard(guard: int) -> Callable[[], None] | None:
    """Return what the command's process does before it starts the command, on Linux."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:  # the guard died before the line above
            os._exit(1)

    return prepare


if __name__ == "__main__":
    sys.exit(main())
