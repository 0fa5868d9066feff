"""What of the topics counts where a scorer delivers at least once: each event once.

Of the feature log, what was written under the claim in force. Of the decisions, the first about each event: a
scorer decides the events of a partition in their order and goes back only to what it decided before, so one
that is not behind the last is there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.claims import Claim, Claims
from training.keeper.queries import sql

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.duck import Connection


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
        places: list[Any] = decisions.select(_PLACE).to_pylist()
        new = [self._is_new(*place.values()) for place in places]
        return decisions if all(new) else decisions.filter(new)

    def _is_new(self, topic: str, partition: int, offset: int) -> bool:
        new = offset > self._decided.get((topic, partition), -1)
        if new:
            self._decided[topic, partition] = offset
        return new
