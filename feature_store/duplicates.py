"""Which events have been seen before, within a window of arrival time."""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import TYPE_CHECKING

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


class DuplicateFilter:
    """The ids of one partition. Changes are pending until ``commit``; ``rollback`` forgets them."""

    def __init__(self, declared: Duplicates) -> None:
        self._window = declared.window
        self._max_ids = declared.max_ids
        self._seen: dict[bytes, tuple[int, bytes]] = {}
        self._pending: dict[bytes, tuple[int, bytes]] = {}
        self._newest = 0
        self.shortened = 0
        """How many ids were forgotten before their time because of ``max_ids``."""

    def __len__(self) -> int:
        return len(self._seen)

    def check(self, event_id: str, body: bytes, arrived_at: int) -> Seen:
        """Whether the event is new; a new one is remembered. ``body`` is the digest of the raw message."""
        key = digest(event_id.encode())
        known = self._pending.get(key) or self._seen.get(key)
        if known is not None and arrived_at - known[0] <= self._window:
            return Seen.DUPLICATE if known[1] == body else Seen.REUSED
        self._pending[key] = (arrived_at, body)
        return Seen.NEW

    def remember(self, event_id: str, body: bytes, arrived_at: int) -> None:
        """Take over an event that is known to be committed."""
        self._keep(digest(event_id.encode()), (arrived_at, body))

    def commit(self) -> None:
        """The pending ids are committed; those past the window are dropped."""
        for key, entry in self._pending.items():
            self._keep(key, entry)
        self._pending.clear()
        self._trim()

    def rollback(self) -> None:
        """The pending ids never were."""
        self._pending.clear()

    def _keep(self, key: bytes, entry: tuple[int, bytes]) -> None:
        self._seen.pop(key, None)  # the order of the dict is the order of arrival
        self._seen[key] = entry
        self._newest = max(self._newest, entry[0])

    def _trim(self) -> None:
        limit = self._newest - self._window
        old: list[bytes] = []
        for key, (arrived_at, _) in self._seen.items():
            too_many = len(self._seen) - len(old) > self._max_ids
            if arrived_at >= limit and not too_many:
                break
            self.shortened += arrived_at >= limit
            old.append(key)
        for key in old:
            del self._seen[key]
