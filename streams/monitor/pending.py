"""Decisions whose truth is not in yet, in compact arrays.

Thirty bytes per decision, in a few segments sorted by key whose sizes grow geometrically, so that adding
a batch and finding an outcome's event both cost about the logarithm of what is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.monitor.quality import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.monitor.arrays import Flags, Floats, Ints, Keys, Rows
    from streams.monitor.outcomes import Word

NO_RANK = np.iinfo(np.int16).max

ROW = np.dtype(
    [
        ("key", np.uint64),
        ("time", np.int64),  # of the event, us
        ("bin", np.int16),
        ("model", np.int16),
        ("stopped", np.bool_),  # by model and rules, before the control group
        ("weight", np.float32),  # the control group stands for more
        ("through", np.bool_),  # what was done: the event went on at once
        ("label", np.int8),
        ("rank", np.int16),  # of the source that gave the label
    ]
)


def pending_rows(
    keys: Keys, times: Ints, bins: Ints, models: Ints, stopped: Flags, through: Flags, weights: Floats
) -> Rows:
    """Rows that nobody has spoken about yet."""
    rows = np.empty(keys.size, ROW)
    rows["key"], rows["time"], rows["bin"], rows["model"] = keys, times, bins, models
    rows["stopped"], rows["through"], rows["weight"] = stopped, through, weights
    rows["label"], rows["rank"] = UNKNOWN, NO_RANK
    return rows


class Pending:
    """The decisions that are not mature, found by key."""

    def __init__(self) -> None:
        self._segments: list[Rows] = []

    def __len__(self) -> int:
        return sum(segment.size for segment in self._segments)

    def add(self, rows: Rows) -> None:
        """Keep ``rows``, in any order."""
        if not rows.size:
            return
        segment = rows[np.argsort(rows["key"], kind="stable")]
        while self._segments and self._segments[-1].size <= 2 * segment.size:
            both = np.concatenate([self._segments.pop(), segment])
            segment = both[np.argsort(both["key"], kind="stable")]
        self._segments.append(segment)

    def tell(self, words: dict[int, Word]) -> set[int]:
        """Label what is pending; returns the keys that were found."""
        keys = np.sort(np.fromiter(words, np.uint64, len(words)))
        found: set[int] = set()
        for segment in self._segments:
            left = np.searchsorted(segment["key"], keys, side="left")
            right = np.searchsorted(segment["key"], keys, side="right")
            for at in np.flatnonzero(left < right).tolist():
                key = int(keys[at])
                found.add(key)
                _label(segment[left[at] : right[at]], words[key])
        return found

    def take_due(self, event_time: int) -> Rows:
        """Remove and return the decisions about events at ``event_time`` (us) or before."""
        return self._take(lambda segment: segment["time"] <= event_time)

    def thin(self, mask: int) -> None:
        """Forget every key that has a bit of ``mask`` set."""
        self._take(lambda segment: (segment["key"] & np.uint64(mask)) != 0)

    def _take(self, wanted: Callable[[Rows], Flags]) -> Rows:
        taken, left = [np.empty(0, ROW)], []
        for segment in self._segments:
            chosen = wanted(segment)
            if not chosen.any():
                left.append(segment)
                continue
            taken.append(segment[chosen])
            left.append(segment[~chosen])
        self._segments = [segment for segment in left if segment.size]
        return np.concatenate(taken)


def _label(rows: Rows, word: Word) -> None:
    heard = rows["rank"] >= word.rank
    rows["label"][heard] = word.label
    rows["rank"][heard] = word.rank
