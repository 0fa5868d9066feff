"""The packed walk as an engine: margins as the library's own to the bit, and paths credited to features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.models.trees.kernels import BLOCK, add_margins, add_paths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.expressions import Matrix
    from streams.models.trees.forest import Packed

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


class PackedEngine:
    """Walks a forest. Threads may share one: every call has its own room to work in."""

    def __init__(self, name: str, packed: Packed) -> None:
        self.name = name
        self.features = packed.features
        self.packed = packed
        self.base = packed.base + float(packed.means[packed.forest.roots[:, 0]].sum())
        """The margin before any feature is asked: the mean of every tree."""

    def margins(self, matrix: Matrix) -> Vector:
        """Log-odds per row."""
        forest = self.packed.forest
        out = np.full(len(matrix), self.packed.base, forest.leaves.dtype)
        add_margins(forest, _plain(matrix), *self._room(), out)
        return out.astype(np.float64, copy=False)

    def contributions(self, matrix: Matrix) -> Matrix:
        """Per row and feature, how far its splits moved the mean on the way to the leaves (Saabas).

        In log-odds: with ``base`` they add up to the margin. What rounding leaves goes to the largest one.
        """
        out = np.zeros((len(matrix), self.features))
        add_paths(self.packed.forest, self.packed.means, _plain(matrix), *self._room(), out)
        if len(out):
            rest = self.margins(matrix) - self.base - out.sum(axis=1)
            out[np.arange(len(out)), np.abs(out).argmax(axis=1)] += rest
        return out

    def _room(self) -> tuple[NDArray[np.uint16], NDArray[np.float64], NDArray[np.uint64]]:
        codes = np.empty(BLOCK * len(self.packed.forest.columns), np.uint16)
        return codes, np.empty(BLOCK), np.empty(BLOCK, np.uint64)


def _plain(matrix: Matrix) -> Matrix:
    """In the one form that the kernels are compiled for: another would be compiled at its first use."""
    if matrix.dtype == np.float64 and matrix.flags.carray:
        return matrix
    return np.array(matrix, np.float64, order="C")
