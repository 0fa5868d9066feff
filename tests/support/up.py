"""A whole run of the system, as its users start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

import psutil

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

COMMAND = [sys.executable, "-m", "console.cli"]
"""The command line, in the interpreter that runs the tests."""


def words_of(process: psutil.Process) -> list[str]:
    """The command line of a process; empty for one that has ended since it was listed."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # a zombie's is one of these
        return []


class Up:
    """One `sluicegate up` in a folder of its own."""

    def __init__(self, folder: Path, cache: Path, *options: str) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SLUICEGATE_")},
            "SLUICEGATE_CACHE": str(cache),
        }
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [*COMMAND, "up", *options],
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for(self, words: str) -> str:
        """Read what it says until a line holds ``words``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(f"it ended without saying {words!r}:\n{''.join(self.said)}")

    def ask(self, *arguments: str, expected: int = 0) -> str:
        """Run another command beside it and return what it prints."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == expected, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def descendants(self) -> list[psutil.Process]:
        """Every process that it started, and theirs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def scorer(self, slot: int) -> psutil.Process:
        """The process of one slot."""
        (found,) = (
            child
            for child in self.descendants()
            if (line := words_of(child))[3:4] == ["scorer"] and f"--slot {slot}" in " ".join(line)
        )
        return found

    def log(self) -> list[dict[str, Any]]:
        """Every line of the log."""
        path = self.folder / ".sluicegate" / "log" / "sluicegate.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]
