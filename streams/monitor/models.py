"""Which model versions decided: how often, since when, and the scores they gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.units import to_text

if TYPE_CHECKING:
    from streams.monitor.arrays import Floats, Ints

NO_MODEL = "cold_start"
"""What a row without a model and without a reason is counted as: decided before there was a champion."""

SCORE_EDGES: Floats = np.array(
    [0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
)

_NAMED = 1_000  # versions beyond these share one line, so that memory is bounded
_OTHERS = "others"


class ModelUse:
    """One version: its decisions and scores."""

    def __init__(self, first_seen: int) -> None:
        self.events = 0
        self.first_seen = self.last_seen = first_seen
        self.scores = np.zeros(SCORE_EDGES.size - 1, np.int64)

    def add(self, scores: Floats, decided: Ints) -> None:
        """Count decisions made at ``decided`` (us); NaN is no score."""
        self.events += scores.size
        self.first_seen = min(self.first_seen, int(decided.min()))
        self.last_seen = max(self.last_seen, int(decided.max()))
        known = np.clip(scores[~np.isnan(scores)], 0.0, 1.0)
        self.scores += np.histogram(known, SCORE_EDGES)[0]

    def status(self) -> dict[str, Any]:
        """Counts; ``scores[i]`` are those from edge i up to edge i + 1."""
        return {
            "events": self.events,
            "first_seen": to_text(self.first_seen),
            "last_seen": to_text(self.last_seen),
            "scores": self.scores.tolist(),
        }


class ModelUses:
    """Every version seen, each with a number by which arrays name it."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._uses: list[ModelUse] = []

    def add(self, versions: list[str | None], scores: Floats, decided: Ints) -> Ints:
        """Count decisions row by row; returns the number of each row's model."""
        numbers = np.fromiter((self._number(version) for version in versions), np.int64, len(versions))
        for number in np.unique(numbers).tolist():
            of = numbers == number
            if number == len(self._uses):
                self._uses.append(ModelUse(int(decided[of].min())))
            self._uses[number].add(scores[of], decided[of])
        return numbers

    def items(self) -> list[tuple[str, int, ModelUse]]:
        """(version, number, use), in the order in which they were first read."""
        return [(version, number, self._uses[number]) for version, number in self._numbers.items()]

    def number(self, version: str) -> int:
        """The number of a version; -1 where it has decided nothing."""
        return self._numbers.get(version, -1)

    def _number(self, version: str | None) -> int:
        name = NO_MODEL if version is None else version
        if name not in self._numbers and len(self._numbers) >= _NAMED:
            name = _OTHERS
        return self._numbers.setdefault(name, len(self._numbers))
