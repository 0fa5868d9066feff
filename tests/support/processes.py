"""Real processes of the system, as `sluicegate up` starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.payments import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextmanager
def scorer(
    config: Path, bootstrap: str, slot: int = 0, stage: int | None = None, dies_at: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """One running scorer, of a stage of a staged pipeline; killed on the way out if it still runs.

    ``dies_at``: a point of ``tests.chaos.crashing``.
    """
    name, which = f"scorer-{slot}", ["--slot", str(slot)]
    if stage is not None:
        name, which = f"stage-{stage}-{slot}", [*which, "--stage", str(stage)]
    launched = ["tests.chaos.crashing", dies_at, "1"] if dies_at else ["console.cli"]
    with _process(config, name, "scorer", "--broker", bootstrap, *which, launched=launched) as process:
        yield process


@contextmanager
def explainer(config: Path, bootstrap: str) -> Iterator[subprocess.Popen[bytes]]:
    """One running explainer; killed on the way out if it still runs."""
    with _process(config, "explainer", "explainer", "--broker", bootstrap) as process:
        yield process


@contextmanager
def keeper(config: Path, bootstrap: str) -> Iterator[subprocess.Popen[bytes]]:
    """One running keeper, its API on a free port; killed on the way out if it still runs."""
    with _process(config, "keeper", "keeper", "--broker", bootstrap, "--port", "0") as process:
        yield process


@contextmanager
def sink(config: Path, bootstrap: str, slot: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """One running sink worker; killed on the way out if it still runs."""
    with _process(config, f"sink-{slot}", "sink", "--broker", bootstrap, "--slot", str(slot)) as process:
        yield process


@contextmanager
def monitor(config: Path, bootstrap: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """One running monitor, its web view on ``port``; killed on the way out if it still runs."""
    with _process(config, "monitor", "monitor", "--broker", bootstrap, "--port", str(port)) as process:
        yield process


@contextmanager
def _process(
    config: Path, name: str, *arguments: str, launched: Sequence[str] = ("console.cli",)
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", *launched, *arguments, "--config", str(config)]
    with (
        (config.parent / f"{name}.log").open("ab") as log,
        subprocess.Popen(
            [*command, "--state-dir", str(config.parent / "state")],
            env=os.environ | ENVIRONMENT | {"PYTHONFAULTHANDLER": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
