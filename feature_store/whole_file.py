"""Files that are whole or absent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_ANYBODYS, _OWNERS = 0o666, 0o600


def write_atomically(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file that is whole or absent, even through a power cut: write aside, fsync, rename.

    ``private``: only its owner may read it, from the first byte on.
    """
    aside = path.with_name(f".{path.name}.part")
    aside.unlink(missing_ok=True)
    mode = _OWNERS if private else _ANYBODYS  # as the process's umask allows
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
