"""The first half of a step in a stage behind the first: what comes was checked and is there once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.duplicates import digest
from streams.scorer.intake import Accepted, Intake, Sorted
from streams.scorer.records import Refused, SourceRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.carried import Carrying
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.decode_batch import Bools, Ints
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
        partitions = np.array([record.partition for record in found.records], np.int64)
        late = carried.late | self._behind(partitions, found.times, newest)
        ids = self._texts(found, self._event.id)
        bodies = [digest(record.value or b"") for record in found.records]
        accepted = Accepted(found.records, ids, bodies, found.events, late, carried)
        return Sorted(accepted, [], [*foreign, *refused.values()])

    def _sent(self, records: list[SourceRecord]) -> tuple[list[SourceRecord], list[Refused]]:
        """What the stage before has sent, and what it has not."""
        if all(self._carrying.reads(record.carried) for record in records):
            return records, []
        sent = [record for record in records if self._carrying.reads(record.carried)]
        detail = "it does not carry what the stage before finds; nobody else may write on this topic"
        foreign = [r for r in records if not self._carrying.reads(r.carried)]
        return sent, [Refused(record, NOT_STAGED, detail) for record in foreign]

    def _behind(self, partitions: Ints, times: Ints, newest: Callable[[int], int]) -> Bools:
        late = np.zeros(len(times), np.bool_)
        for partition in np.unique(partitions).tolist():
            rows = np.flatnonzero(partitions == partition)
            reached = np.maximum.accumulate(np.maximum(times[rows], newest(partition)))
            before = np.concatenate([np.array([newest(partition)], np.int64), reached])[: len(rows)]
            late[rows] = times[rows] + self._lateness < before
        return late
