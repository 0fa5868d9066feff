"""Whose messages of the feature log count, where no transaction keeps a writer out that was given up.

Who takes a partition over first writes a message that makes a claim. From there on only what is written
under this claim counts: what an older writer, alive after all, writes behind it is passed over by every
reader. So the log of a partition has one writer at every place, and holds every source offset once.

A claim is the higher one that comes first: numbers are given under the consumer group's generation, so that
nobody whom the group has given up gets a higher one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Claim(NamedTuple):
    """Its number, and the offset of the message in the feature log that made it."""

    number: int = 0
    at: int = -1


class Claimed(Protocol):
    """What a message of the feature log says of the claim that it was written under."""

    @property
    def claim(self) -> int:
        """The number of the claim; 0 where nothing is claimed."""

    @property
    def claimed_at(self) -> int:
        """The offset of the message that made it; -1 in this message itself."""


NO_CLAIM = Claim()
"""Transactions keep all others out."""


class Claims:
    """The claims in force while the feature log is read, each partition in order."""

    def __init__(self, held: Mapping[int, Claim] | None = None) -> None:
        """``held`` is what was in force where the reading begins."""
        self._held = dict(held or {})

    def of(self, partition: int) -> Claim:
        """What is in force."""
        return self._held.get(partition, NO_CLAIM)

    def superseded(self, partition: int, offset: int, meta: Claimed) -> bool:
        """Whether the next message of ``partition``, at ``offset``, is of a writer that was given up."""
        held = self._held.get(partition, NO_CLAIM)
        if meta.claim > 0 > meta.claimed_at:
            if meta.claim > held.number:
                self._held[partition] = Claim(meta.claim, offset)
                return False
            return True
        if meta.claim > held.number:  # the reading began behind the message that made it
            self._held[partition] = Claim(meta.claim, meta.claimed_at)
            return False
        return (meta.claim, meta.claimed_at) != held

    def copy(self) -> Claims:
        """Another one that stands where this one does."""
        return Claims(self._held)
