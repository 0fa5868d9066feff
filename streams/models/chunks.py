"""The chunks of artifacts on the models topic; they come before the manifest that they belong to."""

from __future__ import annotations

from feature_store.errors import ContractError
from streams.messages.model import CHUNK_BYTES, MOST_BYTES, MOST_CHUNKS

_NAMED = 5
_OVERHEAD = 1_024
"""What a chunk costs beside its bytes, at most: empty ones are not free."""


class Chunks:
    """Chunks by version and number.

    Those that no manifest has claimed may take as much memory as two artifacts; beyond that the version that
    was heard of first is forgotten: chunks without end cost nobody the memory.
    """

    def __init__(self) -> None:
        self._chunks: dict[str, dict[int, bytes]] = {}
        self._claimed: set[str] = set()
        self._unclaimed = 0

    def feed(self, version: str, number: int, value: bytes | None) -> None:
        """Take in a chunk; None takes it away. Raises ContractError for one that no keeper wrote."""
        if number >= MOST_CHUNKS or len(value or b"") > CHUNK_BYTES:
            raise ContractError(
                f"model {version}: chunk {number} of {len(value or b'')} bytes is none of ours"
            )
        chunks = self._chunks.setdefault(version, {})
        before = chunks.pop(number, None)
        if value is not None:
            chunks[number] = value
        if not chunks:
            del self._chunks[version]
        if version not in self._claimed:
            self._unclaimed += _cost(value) - _cost(before)
            self._forget()

    def claim(self, version: str) -> None:
        """A manifest has come that may be used."""
        if version not in self._claimed:
            self._claimed.add(version)
            self._unclaimed -= self._size(version)

    def disclaim(self, version: str) -> None:
        """It has been taken away."""
        if version in self._claimed:
            self._claimed.discard(version)
            self._unclaimed += self._size(version)

    def joined(self, version: str, count: int) -> bytes:
        """The artifact in ``count`` chunks. Raises ContractError naming what is missing."""
        chunks = self._chunks.get(version, {})
        missing = [number for number in range(count) if number not in chunks]
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise ContractError(
                f"model {version}: chunks {missing[:_NAMED]}{more} are missing on the models topic"
            )
        return b"".join(chunks[number] for number in range(count))

    def _size(self, version: str) -> int:
        return sum(map(_cost, self._chunks.get(version, {}).values()))

    def _forget(self) -> None:
        while self._unclaimed > 2 * MOST_BYTES:
            oldest = next(version for version in self._chunks if version not in self._claimed)
            self._unclaimed -= self._size(oldest)
            del self._chunks[oldest]


def _cost(chunk: bytes | None) -> int:
    """The memory that a chunk takes, in bytes."""
    return 0 if chunk is None else len(chunk) + _OVERHEAD
