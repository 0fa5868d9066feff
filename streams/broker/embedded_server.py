"""Run the embedded broker as a child process."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streams.broker.health import api_count
from streams.broker.process import GuardedProcess
from streams.broker.readiness import wait_until_ready
from streams.broker.spec import Address, Broker, BrokerKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_READY_SECONDS = 30.0
_GRACE_SECONDS = 5.0
_LISTENING = re.compile(rb"^listening (\S+):(\d+)$", re.MULTILINE)
COMMAND = (
    *(sys.executable, "-u", "-m", "streams.broker.embedded"),
    *("--host", "127.0.0.1", "--port", "0"),
)
NOTICE = "the embedded broker keeps everything in memory: nothing survives its end, nothing scales"


@contextmanager
def running_embedded(
    state_dir: Path,
    *,
    progress: Callable[[str], None],
    notice: str = NOTICE,
    command: Sequence[str] | None = None,
) -> Iterator[Broker]:
    """Run the embedded broker until the block ends; raises BrokerStartError.

    `command`, COMMAND by default, has to print `listening HOST:PORT` when it is ready.
    """
    log = (state_dir / "embedded").resolve() / "broker.log"
    log.unlink(missing_ok=True)
    process = GuardedProcess(
        command or COMMAND, output=log, pid_file=log.with_name("pid"), grace=_GRACE_SECONDS
    )
    with process:
        wait_until_ready(
            process,
            lambda: _answers(log),
            name="the embedded broker",
            log=log,
            timeout=_READY_SECONDS,
        )
        address = _address(log)
        progress(f"embedded broker at {address}: {notice}")
        yield Broker(str(address), BrokerKind.EMBEDDED, "embedded", notice, process)


def _answers(log: Path) -> bool:
    return api_count(_address(log), timeout=2.0) > 0


def _address(log: Path) -> Address:
    """Return the address that the broker printed; raises ValueError before it has."""
    match = _LISTENING.search(log.read_bytes())
    if match is None:
        raise ValueError("the embedded broker has not printed its address")
    return Address(match.group(1).decode("ascii"), int(match.group(2)))
