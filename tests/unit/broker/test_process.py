"""The guard with real processes: nothing that it runs outlives the program that wanted it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from streams.broker.process import GuardedProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.acceptance

# Each tells on its first line of output that its handler is in place. They sleep a little at a time: a signal
# that comes just before pause() would not end it.
OBEDIENT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda number, frame: (print("stopping", flush=True), sys.exit(7)))
print("ready", flush=True)
while True: time.sleep(0.05)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda number, frame: print("no", flush=True))
print("ready", flush=True)
while True: time.sleep(0.05)
"""
WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("ready", child.pid, flush=True)
child.wait()
"""
# A program that runs OBEDIENT under a guard, tells its process ids, and waits to be killed.
PROGRAM = """
import signal, sys, time
from pathlib import Path
from streams.broker.process import GuardedProcess
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
folder = Path(sys.argv[1])
command = [sys.executable, "-c", sys.argv[2]]
with GuardedProcess(command, output=folder / "out", pid_file=folder / "pid", grace=10) as process:
    while b"ready" not in (folder / "out").read_bytes() or process.pid is None:
        time.sleep(0.01)
    print(process.pid, process.guard_pid, flush=True)
    while True:
        time.sleep(0.05)
"""


def _start(folder: Path, script: str, grace: float = 10.0) -> GuardedProcess:
    process = GuardedProcess(
        [sys.executable, "-c", script],
        output=folder / "out",
        pid_file=folder / "pid",
        grace=grace,
    )
    while b"ready" not in (folder / "out").read_bytes() or process.pid is None:
        assert process.poll() is None, (folder / "out").read_text()
        time.sleep(0.01)
    return process


def test_leaving_the_block_stops_it_gently(tmp_path: Path) -> None:
    with _start(tmp_path, OBEDIENT) as process:
        pid = process.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert process.poll() == 7
    assert (tmp_path / "out").read_text().split() == ["ready", "stopping"]
    assert process.pid is None


def test_what_does_not_stop_is_killed(tmp_path: Path) -> None:
    process = _start(tmp_path, STUBBORN, grace=0.2)
    assert process.stop() == 128 + signal.SIGKILL
    assert (tmp_path / "out").read_text().split() == ["ready", "no"]


def test_its_own_children_go_with_it(tmp_path: Path, wait_until_gone: Callable[[int], None]) -> None:
    process = _start(tmp_path, WITH_CHILD)
    child = int((tmp_path / "out").read_text().split()[1])
    process.stop()
    wait_until_gone(child)


def test_its_end_and_status_are_seen(tmp_path: Path) -> None:
    script = 'import sys; print("ready", flush=True); sys.exit(3)'
    process = GuardedProcess(
        [sys.executable, "-c", script], output=tmp_path / "out", pid_file=tmp_path / "pid"
    )
    assert process.wait(30) == 3
    assert process.stop() == 3


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    process = GuardedProcess([str(tmp_path / "nothing")], output=tmp_path / "out", pid_file=tmp_path / "pid")
    assert process.wait(30) != 0
    assert "No such file or directory" in (tmp_path / "out").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_it_dies_with_a_killed_guard(tmp_path: Path, wait_until_gone: Callable[[int], None]) -> None:
    process = _start(tmp_path, OBEDIENT)
    pid = process.pid
    assert pid is not None
    os.kill(process.guard_pid, signal.SIGKILL)
    wait_until_gone(pid)
    assert process.stop() == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_program(
    number: signal.Signals, tmp_path: Path, wait_until_gone: Callable[[int], None]
) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), OBEDIENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with program:
        assert program.stdout is not None
        pid, guard = map(int, program.stdout.readline().split())
        os.killpg(program.pid, number)  # as the terminal does for Ctrl-C
        wait_until_gone(pid)
        wait_until_gone(guard)
    assert (tmp_path / "out").read_text().split() == ["ready", "stopping"]


def test_it_ends_with_its_program_though_a_fork_still_holds_the_pipe(
    tmp_path: Path, wait_until_gone: Callable[[int], None]
) -> None:
    fork = PROGRAM.replace(
        "print(process.pid", "import os\n    if not os.fork(): signal.pause()\n    print(process.pid"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", fork, str(tmp_path), OBEDIENT],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with program:
        assert program.stdout is not None
        pid, _guard = map(int, program.stdout.readline().split())
        try:
            program.kill()
            wait_until_gone(pid)
        finally:
            os.killpg(program.pid, signal.SIGKILL)
