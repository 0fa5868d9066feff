"""Small disks that can be full: file systems in memory where the machine allows them."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BALLAST = "ballast"
_STEPS = (2**24, 2**20, 2**16, 2**12)


@dataclass(frozen=True)
class Disk:
    """A folder; ``small`` says whether it is a file system of its own."""

    folder: Path
    small: bool

    def fill(self) -> int:
        """Take all the room there is; how many bytes that was."""
        taken = 0
        with (self.folder / _BALLAST).open("wb") as file:
            for step in _STEPS:
                with suppress(OSError):  # no room for so much any more
                    while True:
                        os.posix_fallocate(file.fileno(), taken, step)
                        taken += step
        return taken

    def clear(self) -> None:
        """There is room again."""
        (self.folder / _BALLAST).unlink(missing_ok=True)


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """``folder``, made, on a disk of this size where one can be mounted."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    small = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield Disk(folder, small)
    finally:
        if small:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
