"""Processes are kept running, stopped in order, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from console.supervisor import LogBook, ProcessSpec, RestartPolicy, SaysReady, State, Supervisor
from console.supervisor.group import ProcessFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAYS_UP = """print('{"event": "up", "level": "info"}', flush=True)\n"""
WAITS = SAYS_UP + "import signal; signal.pause()"
LIVES = "from console.lifeline import hold_lifeline; hold_lifeline()\n" + WAITS
QUICK = RestartPolicy(first_pause=0.01, patience=3)


def python(name: str, program: str) -> ProcessSpec:
    return ProcessSpec(name, ("-c", program), SaysReady("up"))


@pytest.fixture
def shown() -> list[str]:
    return []


@pytest.fixture
def logbook(tmp_path: Path, shown: list[str]) -> Iterator[LogBook]:
    with LogBook(tmp_path / "log" / "run.jsonl", shown.append) as book:
        yield book


@pytest.fixture
def supervisor(logbook: LogBook) -> Iterator[Supervisor]:
    supervisor = Supervisor(logbook, QUICK)
    yield supervisor
    supervisor.stop(supervisor.processes)


def test_ready_when_it_says_so_and_its_lines_are_kept(supervisor: Supervisor, logbook: LogBook) -> None:
    supervisor.start([python("one", WAITS)])
    supervisor.wait_ready(30)
    assert supervisor.processes["one"].state is State.READY
    lines = [msgspec.json.decode(line) for line in logbook.path.read_bytes().splitlines()]
    assert {"event": "up", "level": "info", "process": "one"} in lines


def test_killed_process_is_started_again(supervisor: Supervisor, shown: list[str]) -> None:
    supervisor.start([python("one", WAITS)])
    supervisor.wait_ready(30)
    process = supervisor.processes["one"]
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while process.starts < 2:
        supervisor.wait(0.1)
    supervisor.wait_ready(30)
    assert process.pid not in {None, first}
    assert any("ended_unexpectedly" in line and "status=-9" in line for line in shown)


def test_given_up_after_quick_failures_with_its_last_words(supervisor: Supervisor) -> None:
    supervisor.start([python("one", "raise SystemExit('no such card')")])
    with pytest.raises(ProcessFailedError, match=r"one failed 3 times[\s\S]*no such card"):
        supervisor.wait_ready(30)


def test_wrong_configuration_is_not_tried_again(supervisor: Supervisor) -> None:
    supervisor.start([python("one", "raise SystemExit(2)")])
    with pytest.raises(ProcessFailedError, match=r"one failed 1 times .*exit status 2"):
        supervisor.wait_ready(30)


def test_stubborn_process_and_its_child_are_killed(supervisor: Supervisor, logbook: LogBook) -> None:
    stubborn = (
        "import signal, subprocess, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        'print(\'{"event": "up", "child": %d}\' % child.pid, flush=True)\nsignal.pause()'
    )
    supervisor.start([python("one", stubborn)])
    supervisor.wait_ready(30)
    found = [msgspec.json.decode(line) for line in logbook.path.read_bytes().splitlines()]
    (grandchild,) = (line["child"] for line in found if "child" in line)
    supervisor.stop(["one"], grace=0.1)
    assert supervisor.processes["one"].state is State.STOPPED
    psutil.wait_procs([p for p in psutil.process_iter() if p.pid == grandchild], timeout=30)
    assert not _runs(grandchild)


def test_no_process_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from console.supervisor import LogBook, ProcessSpec, SaysReady, Supervisor
supervisor = Supervisor(LogBook(Path({str(tmp_path / "log.jsonl")!r}), print))
supervisor.start([ProcessSpec("one", ("-c", {LIVES!r}), SaysReady("up"))])
supervisor.wait_ready(30)
print(supervisor.processes["one"].pid, flush=True)
import signal; signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    gone, left = psutil.wait_procs([child], timeout=30)
    assert [p.pid for p in gone] == [child.pid]
    assert left == []


def test_terminal_shows_warnings_only_and_nothing_that_moves_the_cursor(
    logbook: LogBook, shown: list[str]
) -> None:
    logbook.line("one", b'{"event": "quiet", "level": "info"}')
    logbook.line("one", b'{"event": "loud", "level": "warning", "text": "a\\u001b[2Jb", "nothing": null}')
    logbook.line("one", b'{"event": "retrying", "level": "warning", "logger": "library"}')
    for _ in range(3):
        logbook.line("one", b'{"event": "failed", "level": "error", "logger": "library"}')
    logbook.line("one", b"not \xff JSON")
    assert shown == ["one warning: loud text=a [2Jb", "one error: failed"]
    assert "not \ufffd JSON" in logbook.last_lines("one")


def test_log_survives_many_writers(logbook: LogBook) -> None:
    def write(name: str) -> None:
        for number in range(200):
            logbook.tell(name, "info", "line", number=number)

    writers = [threading.Thread(target=write, args=(f"p{index}",)) for index in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = [msgspec.json.decode(line) for line in logbook.path.read_bytes().splitlines()]
    assert sorted((line["process"], line["number"]) for line in lines) == sorted(
        (f"p{index}", number) for index in range(4) for number in range(200)
    )


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_broke_a_process_is_shown_when_it_is_started_again(
    supervisor: Supervisor, shown: list[str]
) -> None:
    broken = ProcessSpec("broken", ("-c", "raise KeyError('basket')"), SaysReady("never"))
    supervisor.start([broken])
    with pytest.raises(ProcessFailedError):
        supervisor.wait_ready(60)
    again = [line for line in shown if "ended_unexpectedly" in line]
    assert again
    assert all("said=KeyError: 'basket'" in line for line in again)


def test_why_a_process_ends_is_shown(logbook: LogBook, shown: list[str]) -> None:
    logbook.line("keeper", b"just a line\n")
    logbook.line("keeper", b"sluicegate: the topic was made anew; use another state folder\n")
    assert len(shown) == 1
    assert "the topic was made anew; use another state folder" in shown[0]
