"""A canary: a model that acts for some entities, the same ones for as long as it is the canary.

Who is among them is a keyed hash of the entity, so that every scorer, and whoever looks later, says the same;
another version draws others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from streams.models.champion import Champion
    from streams.policies.actions import Mask


@dataclass(frozen=True)
class CanaryDraw:
    """For whom the version ``version`` of a pipeline acts as a canary."""

    pipeline: str
    version: str
    share: float

    def drawn(self, keys: pa.Array[Any]) -> Mask:
        """Which of ``keys``, the entities of the partition key, are among the ``share``; null never is."""
        encoded = keys.dictionary_encode()
        secret = hashlib.sha256(f"{self.pipeline}|{self.version}".encode()).digest()
        chosen = [_number(str(key), secret) < self.share for key in encoded.dictionary.to_pylist()]
        places = encoded.indices.fill_null(len(chosen)).to_numpy(zero_copy_only=False)
        return np.asarray(np.array([*chosen, False], np.bool_)[places])


@dataclass(frozen=True)
class Canary:
    """A loaded canary; ``key`` is the field of its entities."""

    model: Champion
    draw: CanaryDraw
    key: str

    @property
    def version(self) -> str:
        """The model's version."""
        return self.model.version

    def drawn(self, events: pa.RecordBatch) -> Mask:
        """The events that it acts for."""
        return self.draw.drawn(events.column(self.key))


def _number(key: str, secret: bytes) -> float:
    """A number in [0, 1)."""
    word = hashlib.blake2b(key.encode(), key=secret, digest_size=8).digest()
    return int.from_bytes(word, "big") / 2.0**64
