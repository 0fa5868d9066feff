"""Which events have been seen before, within a window of arrival time."""

from __future__ import annotations

import hashlib
import struct
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from feature_store.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.decision import Duplicates

Records = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

ANY_BODY = bytes(16)
"""The body of what is known from history alone: the same id is a duplicate whatever its body."""

_RECORD = struct.Struct("<16s16sq")
_SIZE = _RECORD.size
_KEY = 16


class Seen(Enum):
    """What an id says about an event."""

    NEW = "new"
    DUPLICATE = "duplicate"
    REUSED = "id_reused"


def digest(data: bytes) -> bytes:
    """128 bits that stand for ``data``."""
    return hashlib.blake2b(data, digest_size=16).digest()


class _Known(NamedTuple):
    body: bytes
    arrived_at: int


def keys_of(event_ids: Iterable[str]) -> list[bytes]:
    """What stands for ids inside."""
    return [digest(event_id.encode()) for event_id in event_ids]


class DuplicateFilter:
    """The ids of one partition. Changes are pending until ``commit``; ``rollback`` forgets them.

    Committed ids stand in one piece of memory in the order of their commit, 40 bytes each (key, body,
    arrival), which grows behind and is cut in front; so a copy of it is all that a snapshot needs.
    """

    def __init__(self, declared: Duplicates) -> None:
        self._window = declared.window
        self._max_ids = declared.max_ids
        self._records = bytearray()
        self._first = 0  # the number of the record that stands in front
        self._seen: dict[bytes, int] = {}  # key -> the number of its newest record
        self._pending: dict[bytes, _Known] = {}
        self._newest = 0
        self.shortened = 0
        """How many ids were forgotten before their time because of ``max_ids``."""

    def __len__(self) -> int:
        return len(self._seen)

    def check(self, event_id: str, body: bytes, arrived_at: int) -> Seen:
        """Whether the event is new; a new one is remembered. ``body`` is the digest of the raw message."""
        key = digest(event_id.encode())
        seen = self._look(key, body, arrived_at)
        if seen is Seen.NEW:
            self._pending[key] = _Known(body, arrived_at)
        return seen

    def look(self, event_id: str, body: bytes, arrived_at: int) -> Seen:
        """What ``check`` would say; nothing is remembered."""
        return self._look(digest(event_id.encode()), body, arrived_at)

    def remember(self, event_id: str, body: bytes, arrived_at: int) -> None:
        """Take over an event that is known to be committed."""
        self._keep(digest(event_id.encode()), body, arrived_at)

    def none_known(self, keys: list[bytes]) -> bool:
        """Whether all of these ids are different, and none of them is remembered."""
        different = set(keys)
        return (
            len(different) == len(keys)
            and self._seen.keys().isdisjoint(different)
            and self._pending.keys().isdisjoint(different)
        )

    def expect(self, keys: list[bytes], bodies: list[bytes], arrivals: list[int]) -> None:
        """Remember events of which none is known, all at once: as ``check`` does one by one."""
        self._pending.update(zip(keys, map(_Known, bodies, arrivals), strict=True))

    def commit(self) -> None:
        """The pending ids are committed; those past the window are dropped."""
        if self._pending:
            first = self._first + len(self._records) // _SIZE
            self._seen.update(zip(self._pending, count(first), strict=False))
            self._records += _packed(self._pending)
            newest = max(known.arrived_at for known in self._pending.values())
            self._newest = max(self._newest, newest)
            self._pending.clear()
        self._trim()

    def rollback(self) -> None:
        """The pending ids never were."""
        self._pending.clear()

    def export(self) -> Records:
        """The committed ids: a copy, one row of 40 bytes each."""
        return np.frombuffer(self._records, np.uint8).reshape(-1, _SIZE).copy()

    def load(self, records: Records) -> None:
        """Take over what ``export`` gave, in place of all that was known. Raises ContractError."""
        if records.dtype != np.uint8 or records.ndim != 2 or records.shape[1] != _SIZE:  # noqa: PLR2004
            raise ContractError(f"ids are rows of {_SIZE} bytes, not {records.dtype} {records.shape}")
        self.rollback()
        self._records = bytearray(records.tobytes())
        self._first = 0
        keys = np.ascontiguousarray(records[:, :_KEY]).view(f"V{_KEY}").ravel().tolist()
        self._seen = dict(zip(keys, count(), strict=False))
        arrivals = np.ascontiguousarray(records[:, 2 * _KEY :]).view("<i8")
        self._newest = int(arrivals.max(initial=0))

    def _look(self, key: bytes, body: bytes, arrived_at: int) -> Seen:
        known = self._pending.get(key) or self._committed(key)
        if known is None or arrived_at - known.arrived_at > self._window:
            return Seen.NEW
        return Seen.DUPLICATE if known.body in {body, ANY_BODY} else Seen.REUSED

    def _committed(self, key: bytes) -> _Known | None:
        number = self._seen.get(key)
        if number is None:
            return None
        _, body, arrived_at = _RECORD.unpack_from(self._records, (number - self._first) * _SIZE)
        return _Known(body, arrived_at)

    def _keep(self, key: bytes, body: bytes, arrived_at: int) -> None:
        self._seen[key] = self._first + len(self._records) // _SIZE
        self._records += _RECORD.pack(key, body, arrived_at)
        self._newest = max(self._newest, arrived_at)

    def _trim(self) -> None:
        limit = self._newest - self._window
        dropped, records = 0, len(self._records) // _SIZE
        while dropped < records:
            key, _, arrived_at = _RECORD.unpack_from(self._records, dropped * _SIZE)
            current = self._seen.get(key) == self._first + dropped  # else the id came again, after its window
            if current and arrived_at >= limit and len(self._seen) <= self._max_ids:
                break
            if current:
                self.shortened += arrived_at >= limit
                del self._seen[key]
            dropped += 1
        if dropped:
            del self._records[: dropped * _SIZE]
            self._first += dropped


def _packed(pending: dict[bytes, _Known]) -> bytes:
    rows = np.empty((len(pending), _SIZE), np.uint8)
    bodies, arrivals = zip(*pending.values(), strict=True)
    rows[:, :_KEY] = np.frombuffer(b"".join(pending), np.uint8).reshape(-1, _KEY)
    rows[:, _KEY : 2 * _KEY] = np.frombuffer(b"".join(bodies), np.uint8).reshape(-1, _KEY)
    rows[:, 2 * _KEY :] = np.array(arrivals, "<i8").view(np.uint8).reshape(-1, 8)
    return rows.tobytes()
