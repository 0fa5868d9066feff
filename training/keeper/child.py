"""The trainer as a child process: in its own group, ended with the keeper, stopped at its time limit."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from streams.broker.process import GuardedProcess

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

TRAINER = (sys.executable, "-m", "training.trainer")

_POLL_S = 0.2
_GRACE_S = 5.0
_TAIL_LINES = 5
_RENAMED = {"event": "said"}
"""``event`` is the name of our own line; what the trainer calls so stands beside it."""

log = structlog.get_logger()


class TrainerStoppedError(Exception):
    """The keeper is ending, and stopped the trainer."""


class TrainerFailedError(Exception):
    """The trainer ended without a result; the message says why."""


def run_trainer(
    folder: Path,
    config: Path,
    time_limit_s: float,
    stop: threading.Event,
    command: Sequence[str] = TRAINER,
) -> None:
    """Run the trainer on a run folder until it has finished, its output going to our log line by line.

    Raises TrainerFailedError for a failure or the time limit, TrainerStoppedError when ``stop`` was set.
    """
    output = folder / "trainer.log"
    deadline = time.monotonic() + time_limit_s
    process = GuardedProcess(
        [*command, str(folder), "--config", str(config)],
        output=output,
        pid_file=folder / "trainer.pid",
        grace=_GRACE_S,
    )
    with process, output.open(encoding="utf-8", errors="replace") as lines:
        try:
            while process.poll() is None:
                if stop.wait(_POLL_S):
                    raise TrainerStoppedError
                if time.monotonic() > deadline:
                    raise TrainerFailedError(f"stopped at the time limit of {time_limit_s:.0f} s")
                _relay(lines.readlines())
        finally:
            status = process.stop()
            _relay(lines.readlines())
    if status != 0:
        last = output.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        raise TrainerFailedError(f"exit status {status}: " + " | ".join(last))


def _relay(lines: list[str]) -> None:
    for line in lines:
        try:
            said = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError:
            said = {"line": line.rstrip()}
        log.info("trainer", **{_RENAMED.get(name, name): value for name, value in said.items()})
