"""Real processes of the system, as `sluicegate up` starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.payments import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def scorer(config: Path, bootstrap: str, slot: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """One running scorer; killed on the way out if it still runs."""
    command = [sys.executable, "-m", "console.cli", "scorer", "--config", str(config), "--broker", bootstrap]
    with (
        (config.parent / f"scorer-{slot}.log").open("ab") as log,
        subprocess.Popen(
            [*command, "--slot", str(slot), "--state-dir", str(config.parent / "state")],
            env=os.environ | ENVIRONMENT,
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


@contextmanager
def explainer(config: Path, bootstrap: str) -> Iterator[subprocess.Popen[bytes]]:
    """One running explainer; killed on the way out if it still runs."""
    command = [sys.executable, "-m", "console.cli", "explainer", "--config", str(config)]
    with (
        (config.parent / "explainer.log").open("ab") as log,
        subprocess.Popen(
            [*command, "--broker", bootstrap, "--state-dir", str(config.parent / "state")],
            env=os.environ | ENVIRONMENT,
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
