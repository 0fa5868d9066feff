"""What of the topics counts where a scorer delivers at least once: each event once.

Of the feature log, what was written under the claim in force. Of the decisions, the first about each event: a
scorer decides the events of a partition in their order and goes back only to what it decided before, so one
that is not behind the last is there already. The last on the same partition of decisions: where there are
stages, decisions lie by the event's own key, and those of one source partition on all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.claims import Claim, Claims
from training.keeper.queries import sql

Way = tuple[str, int, int]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_store.duck import Connection

    Rows = np.ndarray[tuple[int], np.dtype[np.intp]]
    Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


class Counted:
    """How far was counted; a copy is changed, and kept when what it counted is stored."""

    def __init__(self, claims: Claims, decided: dict[Way, int]) -> None:
        """``decided``: the last source offset on every way from a partition of events to one of decisions."""
        self.claims = claims
        self._decided = decided

    @classmethod
    def read(cls, store: Connection) -> Counted:
        """As the store has it."""
        held = store.execute(sql("held_claims")).fetchall()
        decided = store.execute(sql("decided_until")).fetchall()
        return cls(
            Claims({partition: Claim(number, at) for partition, number, at in held}),
            {(topic, source, partition): last for topic, source, partition, last in decided},
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
        offsets = decisions["source_offset"].to_numpy()
        new = np.zeros(len(offsets), np.bool_)
        for way, found in _by_way(decisions):
            last = self._decided.get(way, -1)
            reached = np.maximum.accumulate(np.concatenate(([last], offsets[found])))
            new[found] = offsets[found] > reached[:-1]
            self._decided[way] = int(reached[-1])
        return new


def _by_way(decisions: pa.Table) -> Iterator[tuple[Way, Rows]]:
    """The rows on each way, in their order: of a staged pipeline there are as many as partitions squared."""
    if not decisions.num_rows:
        return
    names = pc.unique(decisions["source_topic"])
    topics = pc.index_in(decisions["source_topic"], value_set=names).to_numpy()
    sources, partitions = (decisions[name].to_numpy() for name in ("source_partition", "partition"))
    order = np.lexsort((partitions, sources, topics))
    places = np.stack([topics, sources, partitions])[:, order]
    begin = np.flatnonzero((places[:, 1:] != places[:, :-1]).any(axis=0)) + 1
    for rows in np.split(order, begin):
        at = rows[0]
        yield (names[topics[at]].as_py(), int(sources[at]), int(partitions[at])), rows
