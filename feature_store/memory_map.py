"""Matrices that live in a file: as long as the disk, and in memory only where they are looked at."""

from __future__ import annotations

import mmap
import tempfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def memory_map(folder: Path, rows: int, columns: int) -> NDArray[np.float64]:
    """A float64 matrix in a nameless file of ``folder``: its room is free again once nobody holds it."""
    if rows == 0:  # no map has no bytes
        return np.empty((0, columns))
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(rows * columns * 8)
        return np.memmap(file, np.float64, "r+", shape=(rows, columns))


def let_go(matrix: NDArray[np.float64]) -> None:
    """Give the memory back that looking at a memory map took, of all of it; other matrices stay as they are.

    What was written is in the file, and comes back when it is looked at again.
    """
    base: object = matrix
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):
        base.madvise(mmap.MADV_DONTNEED)
