"""Wait until a broker that was started here answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from streams.broker.errors import BrokerStartError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.broker.process import GuardedProcess

_POLL_SECONDS = 0.02
_LINES = 12


def wait_until_ready(
    process: GuardedProcess,
    is_ready: Callable[[], bool],
    *,
    name: str,
    log: Path,
    timeout: float,
) -> None:
    """Return when `is_ready` says so; OSError and ValueError from it mean not yet.

    Raises BrokerStartError with the last lines of its logs where the process ends first, or
    `timeout` seconds pass.
    """
    deadline = time.monotonic() + timeout
    while not _holds(is_ready):
        status = process.poll()
        if status is not None:
            raise BrokerStartError(_message(f"{name} ended with status {status}", process, log))
        if time.monotonic() > deadline:
            reason = f"{name} did not answer within {timeout:g} s"
            raise BrokerStartError(_message(reason, process, log))
        time.sleep(_POLL_SECONDS)


def last_lines(log: Path) -> str:
    """Return the end of a log, empty where there is none."""
    if not log.is_file():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES:])


def _holds(is_ready: Callable[[], bool]) -> bool:
    try:
        return is_ready()
    except (OSError, ValueError):
        return False


def _message(reason: str, process: GuardedProcess, log: Path) -> str:
    ends = {path: last_lines(path) for path in dict.fromkeys((process.output, log))}
    told = "".join(f"\nlast lines of {path}:\n{end}" for path, end in ends.items() if end)
    return f"{reason}.{told}"
