"""`python -m tests.fuzz.run SECONDS [TARGET...]`: fuzz every reader for its part of the time, and tell.

Guided by coverage (atheris) where that is installed, else by changes at random. Exit code 1 where there are
findings; the inputs that made them stay in .sluicegate/fuzz/TARGET.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from tests.fuzz.targets import TARGETS
from tests.fuzz.watch import LAST, Finding, Told, last_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / ".sluicegate" / "fuzz"
_START_S = 240
"""A target may take that long to make ready, and to come to its end."""
_MOST_ENDS = 5


class Row(msgspec.Struct, frozen=True):
    """What came of one target."""

    target: str
    reads: str
    seconds: int
    inputs: int
    findings: list[Finding]


def main(seconds: str, *names: str) -> int:
    """Fuzz ``names``, or all; print the table, and write it to .sluicegate/fuzz/table.json."""
    chosen = names or tuple(TARGETS)
    if unknown := [name for name in chosen if name not in TARGETS]:
        sys.exit(f"no target is called {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
    engine = "atheris" if importlib.util.find_spec("atheris") is not None else "changes at random"
    each = max(1, int(seconds) // len(chosen))
    rows = []
    for name in chosen:
        rows.append(_fuzzed(name, each, engine))
        found = len(rows[-1].findings)
        sys.stderr.write(f"{name}: {rows[-1].inputs:,} inputs, {found} findings\n")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    (_FOLDER / "table.json").write_bytes(msgspec.json.format(msgspec.json.encode(rows)))
    _tell(rows, engine)
    return 1 if any(row.findings for row in rows) else 0


def _fuzzed(name: str, seconds: int, engine: str) -> Row:
    folder = _FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    ended: list[Finding] = []
    while len(ended) < _MOST_ENDS and (left := round(started + seconds - time.monotonic())) > 0:
        why = _ended(name, folder, left, engine)
        if why is None:
            break
        ended.append(_kept(folder, why, len(ended)))
    file = folder / "told.json"
    told = msgspec.json.decode(file.read_bytes(), type=Told) if file.exists() else Told()
    return Row(name, TARGETS[name].reads, seconds, told.inputs, [*told.findings, *ended])


def _ended(name: str, folder: Path, seconds: int, engine: str) -> str | None:
    """Fuzz in a process; why it ended before its time, where it did."""
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(folder), str(seconds), engine]
    with (folder / "log").open("ab") as log:
        try:
            done = subprocess.run(
                command, cwd=_ROOT, stdout=log, stderr=log, timeout=seconds + _START_S, check=False
            )
        except subprocess.TimeoutExpired:
            return "it does not come back"
    return None if done.returncode == 0 else f"it ends the process with {done.returncode}"


def _kept(folder: Path, why: str, number: int) -> Finding:
    if not (folder / LAST).exists():
        return Finding(why, "before the first input; see the log", "log")
    name = f"ended-by-{number}"
    (folder / name).write_bytes(last_of(folder))
    return Finding(why, "see the log", name)


def _tell(rows: Iterable[Row], engine: str) -> None:
    table = Table(title=f"Fuzzed by {engine}")
    table.add_column("target")
    table.add_column("what is read")
    for name in ("seconds", "inputs", "findings"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.target, row.reads, str(row.seconds), f"{row.inputs:,}", str(len(row.findings)),
            style="red" if row.findings else None,
        )  # fmt: skip
    console = Console(width=110)
    console.print(table)
    for row in rows:
        for finding in row.findings:
            console.print(f"{row.target}: {finding.what}: {finding.words} ({finding.input})", markup=False)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
