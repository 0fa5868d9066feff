"""Which events have been seen before, within a window of arrival time."""

from __future__ import annotations

import hashlib
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from feature_store.declaration.decision import Duplicates


class Seen(Enum):
    """What an id says about an event."""

    NEW = "new"
    DUPLICATE = "duplicate"
    REUSED = "id_reused"


def digest(data: bytes) -> bytes:
    """128 bits that stand for ``data``."""
    return hashlib.blake2b(data, digest_size=16).digest()


class _Entry(NamedTuple):
    key: bytes
    body: bytes
    arrived_at: int


class DuplicateFilter:
    """The ids of one partition. Changes are pending until ``commit``; ``rollback`` forgets them."""

    def __init__(self, declared: Duplicates) -> None:
        self._window = declared.window
        self._max_ids = declared.max_ids
        self._seen: dict[bytes, _Entry] = {}
        self._order: deque[_Entry] = deque()
        self._pending: dict[bytes, _Entry] = {}
        self._newest = 0
        self.shortened = 0
        """How many ids were forgotten before their time because of ``max_ids``."""

    def __len__(self) -> int:
        return len(self._seen)

    def check(self, event_id: str, body: bytes, arrived_at: int) -> Seen:
        """Whether the event is new; a new one is remembered. ``body`` is the digest of the raw message."""
        entry = _Entry(digest(event_id.encode()), body, arrived_at)
        seen = self._look(entry)
        if seen is Seen.NEW:
            self._pending[entry.key] = entry
        return seen

    def look(self, event_id: str, body: bytes, arrived_at: int) -> Seen:
        """What ``check`` would say; nothing is remembered."""
        return self._look(_Entry(digest(event_id.encode()), body, arrived_at))

    def remember(self, event_id: str, body: bytes, arrived_at: int) -> None:
        """Take over an event that is known to be committed."""
        self._keep(_Entry(digest(event_id.encode()), body, arrived_at))

    def commit(self) -> None:
        """The pending ids are committed; those past the window are dropped."""
        for entry in self._pending.values():
            self._keep(entry)
        self._pending.clear()
        self._trim()

    def rollback(self) -> None:
        """The pending ids never were."""
        self._pending.clear()

    def _look(self, entry: _Entry) -> Seen:
        known = self._pending.get(entry.key) or self._seen.get(entry.key)
        if known is None or entry.arrived_at - known.arrived_at > self._window:
            return Seen.NEW
        return Seen.DUPLICATE if known.body == entry.body else Seen.REUSED

    def _keep(self, entry: _Entry) -> None:
        self._seen[entry.key] = entry
        self._order.append(entry)
        self._newest = max(self._newest, entry.arrived_at)

    def _trim(self) -> None:
        limit = self._newest - self._window
        while self._order:
            entry = self._order[0]
            current = self._seen.get(entry.key) is entry  # else the id came again, after its window
            if current and entry.arrived_at >= limit and len(self._seen) <= self._max_ids:
                return
            self._order.popleft()
            if current:
                self.shortened += entry.arrived_at >= limit
                del self._seen[entry.key]
