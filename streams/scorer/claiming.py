"""Becoming the writer of a partition's feature log: the only one whose messages count from here on.

1. Take the number above the one that the group has noted, and note it there. Only who holds the partition now
   may do so.
2. Write the message that makes the claim, and learn where it went.
3. Read the log up to it (``recovery``). If a message before it made a claim as high, begin again above that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from feature_store.claims import Claim
from feature_store.errors import StateError
from feature_store.log import LogMeta, encode_log, log_schema
from streams.scorer.records import Position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.core import ScorerCore


class ClaimWriter(Protocol):
    """Who notes and writes claims; returns where each went."""

    def claim(self, records: dict[int, bytes], positions: dict[int, Position]) -> dict[int, int]:
        """Partition -> offset of its record in the feature log."""
        ...

    def stand(self, positions: dict[int, Position]) -> None:
        """Claimed partitions that are held stand here, whatever the group has noted."""
        ...


class Claiming:
    """Makes claims for one scorer."""

    def __init__(self, pipeline: Pipeline, writer: ClaimWriter) -> None:
        self._pipeline = pipeline
        self._writer = writer
        self._always = pipeline.serving.delivery == "at_least_once"

    def wanted(self, committed: Position | None) -> bool:
        """Whether a partition is claimed: always without transactions; with them where it was before, since
        who claimed it may live.
        """
        return self._always or (committed is not None and committed.claim > 0)

    def claim(self, positions: dict[int, Position]) -> dict[int, Claim]:
        """Claim partitions, each above the number in its position.

        Raises StateError where this scorer does not hold them any more, or as commits do.
        """
        if not positions:
            return {}
        mine = {p: at._replace(claim=at.claim + 1) for p, at in positions.items()}
        places = self._writer.claim({p: self._record(p, at) for p, at in mine.items()}, mine)
        if places.keys() != mine.keys():
            raise StateError("Kafka did not say where this scorer's claims went; a fresh one tries again")
        return {p: Claim(at.claim, places[p]) for p, at in mine.items()}

    def taken_over(self, core: ScorerCore, committed: dict[int, Position | None]) -> None:
        """Say where claimed partitions stand that the group has elsewhere."""
        stand = _standing(core, committed)
        self._writer.stand({p: at for p, at in stand.items() if at[:2] != (committed[p] or Position(-1))[:2]})

    def handing_over(self, core: ScorerCore, partitions: Iterable[int]) -> None:
        """Say where partitions stand that go to another scorer: it may be away, and this one may end."""
        self._writer.stand(_standing(core, partitions))

    def _record(self, partition: int, at: Position) -> bytes:
        nothing = pa.RecordBatch.from_pylist([], schema=log_schema(self._pipeline))
        meta = LogMeta(
            pipeline=self._pipeline.name,
            topic=self._pipeline.topics.events,
            partition=partition,
            first_offset=at.events,
            next_offset=at.events,
            release_epoch=0,
            policy_offset=-1,
            duplicates=[],
            dead_letters=[],
            hashes={},
            outcomes_offset=at.outcomes,
            claim=at.claim,
        )
        return encode_log(nothing, meta)


def _standing(core: ScorerCore, partitions: Iterable[int]) -> dict[int, Position]:
    """Where claimed partitions stand, of those that the scorer has the state of."""
    positions, known = core.positions, core.outcomes
    return {
        p: Position(positions[p], known[p].offset, core.claim_of(p).number)
        for p in partitions
        if p in positions and core.claim_of(p).number
    }
