"""The folders that training runs leave: logs, verdicts, what was refused. The newest are kept."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def clean(runs: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` folders; their names sort by time. What will not go stays."""
    if not runs.is_dir():
        return
    folders = sorted(each for each in runs.iterdir() if each.is_dir())
    for old in folders[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
