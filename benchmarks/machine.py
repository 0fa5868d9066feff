"""Two cores: the broker and who measures on one, who is measured on the other; and their CPU time."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]
_STOP_S = 20.0


@dataclass(frozen=True)
class Cores:
    """Their numbers."""

    broker: int
    contender: int


@contextmanager
def two_cores() -> Iterator[Cores]:
    """Keep this process, and so the broker it starts, on the first core. Exits where there are not two."""
    if not hasattr(os, "sched_setaffinity"):
        raise SystemExit("this benchmark pins processes to cores, which needs Linux")
    present = sorted(os.sched_getaffinity(0))
    if len(present) < 2:  # noqa: PLR2004
        raise SystemExit("this benchmark needs two cores: one for the broker, one for what is measured")
    os.sched_setaffinity(0, {present[0]})
    try:
        yield Cores(present[0], present[1])
    finally:
        os.sched_setaffinity(0, present)


@contextmanager
def pinned(
    command: list[str], core: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process on one core, stopped at the end; it writes to ``log``."""
    whole = [sys.executable, "-m", "benchmarks.pinned", str(core), *command]
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            whole, stdout=sink, stderr=sink, cwd=ROOT, env={**os.environ, **(environment or {})}
        ) as process,
    ):
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()


def cpu_seconds(process: int) -> float:
    """User and system time of all threads of a process and of its children, so far."""
    main = psutil.Process(process)
    times = [each.cpu_times() for each in (main, *main.children(recursive=True))]
    return float(sum(found.user + found.system for found in times))


def described() -> str:
    """The processor and the system, in a line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{model or platform.processor()}, {system}"
