"""Episodes: from what single looks find to when it is said, once, and when it is said to be over.

A trouble is raised when ``raise_after`` looks in a row have found it, and cleared when ``clear_after`` in a
row have found it gone. Between the two bounds, or where a look can say nothing, it stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping


class Level(Enum):
    """What one look found of one subject."""

    BAD = "bad"
    BETWEEN = "between"
    GOOD = "good"
    UNKNOWN = "unknown"


class Subject(NamedTuple):
    """What an alert is about: its kind, and of what (a feature, a shadow, …)."""

    kind: str
    of: str


@dataclass
class _Streak:
    bad: int = 0
    good: int = 0


class Changes(NamedTuple):
    """What a look made of it."""

    raised: list[Subject]
    cleared: list[Subject]


class Episodes:
    """Which troubles are open, by the alerts that were sent."""

    def __init__(self, raise_after: int, clear_after: int) -> None:
        self._raise_after = raise_after
        self._clear_after = clear_after
        self._streaks: dict[Subject, _Streak] = {}
        self._open: set[Subject] = set()

    @property
    def open(self) -> frozenset[Subject]:
        """Raised and not cleared."""
        return frozenset(self._open)

    def heard(self, raised: Iterable[Subject], cleared: Iterable[Subject]) -> None:
        """Take note of alerts that were sent, by this process or one before it."""
        self._open |= set(raised)
        self._open -= set(cleared)

    def forget_streaks(self, kinds: Container[str]) -> None:
        """Begin to count anew: what is held against has changed."""
        for subject in [each for each in self._streaks if each.kind in kinds]:
            del self._streaks[subject]

    def look(self, found: Mapping[Subject, Level], kinds: Container[str]) -> Changes:
        """Take in a look at ``kinds``: what is to be raised and cleared now.

        What is open and not among what was found any more is good: a feature that no model uses now.
        """
        gone = {each for each in self._open if each.kind in kinds} - found.keys()
        looked = {**found, **dict.fromkeys(gone, Level.GOOD)}
        for subject in [each for each in self._streaks if each.kind in kinds and each not in looked]:
            del self._streaks[subject]
        for subject, level in looked.items():
            streak = self._streaks.setdefault(subject, _Streak())
            streak.bad = streak.bad + 1 if level is Level.BAD else 0
            streak.good = streak.good + 1 if level is Level.GOOD else 0
        raised = [each for each in looked if self._streaks[each].bad >= self._raise_after]
        cleared = [each for each in looked if self._streaks[each].good >= self._clear_after]
        changes = Changes(
            sorted(set(raised) - self._open),
            sorted(self._open & set(cleared)),
        )
        self.heard(changes.raised, changes.cleared)
        return changes
