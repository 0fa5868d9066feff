"""What of the topics counts where a scorer delivers at least once: each event once.

Of the feature log, what was written under the claim in force. Of the decisions, the first about each event: a
scorer decides the events of a partition in their order and goes back only to what it decided before, so one
that is not behind the last is there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.claims import Claim, Claims
from training.keeper.queries import sql

if TYPE_CHECKING:
    from feature_store.duck import Connection

    Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

_PLACE = ["source_topic", "source_partition", "source_offset"]


class Counted:
    """How far was counted; a copy is changed, and kept when what it counted is stored."""

    def __init__(self, claims: Claims, decided: dict[tuple[str, int], int]) -> None:
        """``decided`` is the last source offset of every topic and partition of events."""
        self.claims = claims
        self._decided = decided

    @classmethod
    def read(cls, store: Connection) -> Counted:
        """As the store has it."""
        held = store.execute(sql("held_claims")).fetchall()
        decided = store.execute(sql("decided_until")).fetchall()
        return cls(
            Claims({partition: Claim(number, at) for partition, number, at in held}),
            {(topic, partition): last for topic, partition, last in decided},
        )

    def copy(self) -> Counted:
        """Another one that stands where this one does."""
        return Counted(self.claims.copy(), dict(self._decided))

    def first(self, decisions: pa.Table) -> pa.Table:
        """The decisions about events that had none."""
        new = self.new(decisions)
        return decisions if new.all() else decisions.filter(pa.array(new))

    def new(self, decisions: pa.Table) -> Flags:
        """For each of the decisions, whether its event had none."""
        places = decisions.select(_PLACE).combine_chunks()
        topics, partitions = places["source_topic"], places["source_partition"].to_numpy()
        offsets = places["source_offset"].to_numpy()
        new = np.zeros(len(offsets), np.bool_)
        for topic, partition in _distinct(places):
            found = np.flatnonzero((partitions == partition) & pc.equal(topics, pa.scalar(topic)).to_numpy())
            last = self._decided.get((topic, partition), -1)
            reached = np.maximum.accumulate(np.concatenate(([last], offsets[found])))
            new[found] = offsets[found] > reached[:-1]
            self._decided[topic, partition] = int(reached[-1])
        return new


def _distinct(places: pa.Table) -> list[tuple[str, int]]:
    found = places.group_by(_PLACE[:2]).aggregate([])
    return [(each["source_topic"], each["source_partition"]) for each in found.to_pylist()]
