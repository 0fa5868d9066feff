"""What is known about events: whose word counts, and outcomes that come before their event.

An event is known here by 64 bits of a hash of its id: among the millions that are pending at once, two
alike would blur one figure, and nothing is decided by it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from streams.messages import Label
from streams.monitor.quality import FRAUD, LEGITIMATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.messages import Outcome

_LABELS = {Label.FRAUD: FRAUD, Label.LEGITIMATE: LEGITIMATE}


def event_key(event_id: str) -> int:
    """64 bits that stand for an event id."""
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "little")


class Word(NamedTuple):
    """What one source says: its rank (0 counts most) and the label."""

    rank: int
    label: int

    @classmethod
    def of(cls, outcome: Outcome, rank: int) -> Word:
        """The word of ``outcome``."""
        return cls(rank, _LABELS[outcome.label])


class Waiting:
    """Words about events that are not pending (yet), at most ``limit``; the oldest is given up first.

    They do not expire by a clock: while scorers work off a backlog, one partition may be days behind another.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._words: dict[int, Word] = {}
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._words)

    def __iter__(self) -> Iterator[int]:
        return iter(self._words)

    def put(self, key: int, word: Word) -> None:
        """Keep ``word``, unless a source that counts more has spoken."""
        before = self._words.get(key)
        if before is not None and before.rank < word.rank:
            return
        if before is None and len(self._words) >= self._limit:
            del self._words[next(iter(self._words))]
            self.given_up += 1
        self._words[key] = word

    def take(self, key: int) -> Word | None:
        """The word about an event that has come, no longer waiting."""
        return self._words.pop(key, None)

    def take_all(self) -> dict[int, Word]:
        """Everything, leaving nothing."""
        words, self._words = self._words, {}
        return words
