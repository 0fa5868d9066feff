"""A column of few different texts, held as small numbers: no Python object per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Rows = slice | np.ndarray[tuple[int], np.dtype[np.bool_]]
"""A stretch of rows, or one mark for each of them."""

_NONE = -1


@dataclass(frozen=True)
class Coded:
    """A text per row, or none: ``codes`` are positions in ``values``, -1 stands for none."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> Coded:
        """Code these texts."""
        values = tuple(dict.fromkeys(text for text in texts if text is not None))
        position = {text: code for code, text in enumerate(values)}
        return cls(np.array([position.get(text or "", _NONE) for text in texts], np.int32), values)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Rows) -> Coded:
        return Coded(self.codes[rows], self.values)

    def equals(self, text: str) -> NDArray[np.bool_]:
        """Which rows have exactly this text."""
        if text not in self.values:
            return np.zeros(len(self.codes), np.bool_)
        return np.asarray(self.codes == self.values.index(text))

    def texts(self) -> list[str | None]:
        """The texts, one per row."""
        return [None if code == _NONE else self.values[code] for code in self.codes.tolist()]
