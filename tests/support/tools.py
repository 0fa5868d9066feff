"""Programs that are not ours and that tests ask: skipped on a laptop that lacks one, never in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def tool(name: str, package: str) -> str:
    """Where the program is; ``package`` is Debian's that has it."""
    found = shutil.which(name)
    if found is None:
        missing = f"{name} is not installed: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def ran(program: str, *arguments: str, given: bytes = b"", within: Path | None = None) -> str:
    """What it says, where it is content; else the test fails with its complaint."""
    done = subprocess.run(
        [program, *arguments], input=given, capture_output=True, cwd=within, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said
