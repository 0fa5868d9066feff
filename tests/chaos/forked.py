"""Processes of the product that begin in a moment: forked from one that has imported the program, no more.

An interpreter that starts and imports takes four seconds of a core. Rounds restart something all the time.
"""

from __future__ import annotations

import ctypes
import faulthandler
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerProcess

_IMPORTED = (
    "console.cli.app",
    "console.web",
    "streams.models.watcher",
    "streams.policies.watcher",
    "streams.scorer.loop",
    "streams.scorer.run",
    "tests.chaos.crashing",
    "training.keeper.client",
    "training.keeper.service",
    "training.sink.run",
)
_TURN_S = 0.02
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
QUIET = {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}
"""As a scorer sets them before its libraries are imported."""


@dataclass(frozen=True)
class Beginning:
    """What a process of the product is told; ``room`` is the name of a network namespace, or empty.

    With ``point`` it dies where it comes to it for the ``times``-th time.
    """

    arguments: Sequence[str]
    log: Path
    room: str = ""
    environment: Mapping[str, str] | None = None
    point: str = ""
    times: int = 1


class Forked:
    """One such process; as much of ``subprocess.Popen`` as is needed."""

    def __init__(self, beginning: Beginning) -> None:
        context = multiprocessing.get_context("forkserver")
        os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
        context.set_forkserver_preload(list(_IMPORTED))
        self._process: ForkServerProcess = context.Process(target=_begin, args=(beginning,))
        self._process.start()
        self.pid = self._process.pid or 0
        self._turn = threading.Lock()

    def poll(self) -> int | None:
        """The exit status, None while it runs. Of two threads that ask, one reads it."""
        with self._turn:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status. Raises subprocess.TimeoutExpired."""
        until = time.monotonic() + (math.inf if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() >= until:
                raise subprocess.TimeoutExpired("a part", timeout or 0.0)
            time.sleep(_TURN_S)
        return code


def _begin(beginning: Beginning) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_DEATH_SIGNAL, signal.SIGKILL)
    os.setsid()
    with Path(os.devnull).open("rb") as nothing, beginning.log.open("ab") as log:
        for file, place in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(file.fileno(), place)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  (the new ones, for as long as it runs)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    faulthandler.enable()
    if beginning.room:
        with Path("/run/netns", beginning.room).open("rb") as room:
            if libc.setns(room.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), f"cannot enter {beginning.room}")
    os.environ.update(beginning.environment or {})
    sys.argv = ["sluicegate", *beginning.arguments]

    from console.cli import main  # noqa: PLC0415  (here it is imported already)
    from tests.chaos.crashing import POINTS, die, wrap  # noqa: PLC0415

    if beginning.point:
        wrap(POINTS[beginning.point], beginning.times, die)
    main()
