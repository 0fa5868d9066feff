"""The first half of a step in a stage behind the first: what comes was checked and is there once."""

from __future__ import annotations

from itertools import compress
from operator import not_
from typing import TYPE_CHECKING

from feature_store.duplicates import digest
from streams.scorer.intake import Accepted, Intake, Sorted, by_partition
from streams.scorer.novelty import behind
from streams.scorer.records import Refused, SourceRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.carried import Carrying
    from feature_store.declaration.pipeline import Pipeline
    from streams.formats import AsJson

NOT_STAGED = "not_staged"
"""The reason of a dead letter on a topic between two stages that no stage has sent."""


class StagedIntake(Intake):
    """Decodes events and takes over what they carry.

    No id is asked after again: an event that was decoded, new and in time in the first stage is decided. One
    that is later here than ``features.lateness`` is flagged, since its windows may be cut short.
    """

    def __init__(self, pipeline: Pipeline, carrying: Carrying, as_json: AsJson | None = None) -> None:
        super().__init__(pipeline, as_json)
        self._carrying = carrying
        self._lateness = pipeline.features.lateness

    def sort(self, records: list[SourceRecord], newest: Callable[[int], int]) -> Sorted:
        """Every record with what it carries; what no stage has sent is refused."""
        sent, foreign = self._sent(records)
        refused: dict[int, Refused] = {}
        found = self._decoded(sent, refused)
        carried = self._carrying.read([record.carried for record in found.records])
        late = carried.late
        for partition, rows in by_partition(found.records):
            late[rows] |= behind(found.times[rows], newest(partition), self._lateness)[0]
        ids = self._texts(found, self._event.id)
        bodies = [digest(record.value or b"") for record in found.records]
        accepted = Accepted(found.records, ids, bodies, found.events, late, carried)
        return Sorted(accepted, [], [*foreign, *refused.values()])

    def _sent(self, records: list[SourceRecord]) -> tuple[list[SourceRecord], list[Refused]]:
        """What the stage before has sent, and what it has not."""
        ours = [self._carrying.reads(record.carried) for record in records]
        if all(ours):
            return records, []
        detail = "it does not carry what the stage before finds; nobody else may write on this topic"
        foreign = [Refused(record, NOT_STAGED, detail) for record in compress(records, map(not_, ours))]
        return list(compress(records, ours)), foreign
