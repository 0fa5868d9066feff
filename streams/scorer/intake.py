"""The first half of a step: every record becomes a sound new event, a duplicate, or a dead letter.

Work is done by column: what is wrong with a record is asked of all of them at once, and told of the few.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from feature_store.columns import from_arrow, words
from feature_store.decode_batch import BatchDecoder, Bools, Ints
from feature_store.duplicates import DuplicateFilter, digest, keys_of
from feature_store.units import format_duration, to_text
from streams.scorer.novelty import Sieve, Sound
from streams.scorer.records import Refused, SourceRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.carried import Carried
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.errors import BadEventError
    from streams.formats import AsJson


@dataclass(frozen=True)
class Accepted:
    """The sound new events of a batch, side by side, in applied order; ``events`` has the declared fields."""

    records: list[SourceRecord]
    ids: list[str]
    digests: list[bytes]
    events: pa.RecordBatch
    late: Bools
    carried: Carried | None = None
    """What earlier stages found; None in the first."""

    @cached_property
    def partitions(self) -> Ints:
        """The source partition of each."""
        return np.array([record.partition for record in self.records], np.int64)


@dataclass
class Sorted:
    """Where each record of a batch went."""

    accepted: Accepted
    duplicates: list[SourceRecord] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass
class _Candidates:
    """Records that may be events, side by side; ``places`` is where they stand in the batch."""

    places: Ints
    records: list[SourceRecord]
    events: pa.RecordBatch
    times: Ints

    def only(self, kept: Bools) -> _Candidates:
        if kept.all():
            return self
        records = [self.records[at] for at in np.flatnonzero(kept)]
        return _Candidates(self.places[kept], records, self.events.filter(pa.array(kept)), self.times[kept])


class Intake:
    """Checks records and remembers their ids, per partition."""

    def __init__(self, pipeline: Pipeline, as_json: AsJson | None = None) -> None:
        """``as_json`` for events in another format."""
        self._as_json = as_json
        self._decoder = BatchDecoder(pipeline.event)
        self._event = pipeline.event
        self._tolerance = pipeline.event.future_tolerance
        refuse_late = pipeline.features.late == "dead_letter"
        self._sieve = Sieve(pipeline.features.lateness, late_are_refused=refuse_late)
        self._declared = pipeline.decision.duplicates
        self._filters: dict[int, DuplicateFilter] = {}

    def add_partition(self, partition: int) -> None:
        """Take on a partition with no ids."""
        self._filters[partition] = DuplicateFilter(self._declared)

    def drop_partition(self, partition: int) -> None:
        """Forget a partition."""
        self._filters.pop(partition, None)

    def filter_of(self, partition: int) -> DuplicateFilter:
        """The ids of one partition."""
        return self._filters[partition]

    @property
    def shortened(self) -> dict[int, int]:
        """Partition -> ids forgotten before their time because there were too many."""
        return {partition: known.shortened for partition, known in self._filters.items()}

    def sort(self, records: list[SourceRecord], newest: Callable[[int], int]) -> Sorted:
        """Decode and check every record; ``newest`` is a partition's newest event time before them.

        Raises SchemaUnavailableError, with nothing remembered, where it cannot be told what a record is.
        """
        refused: dict[int, Refused] = {}
        found = self._decoded(records, refused)
        found = self._keyed(found, refused)
        found = self._not_of_the_future(found, refused)
        accepted, duplicates = self._new(found, refused, newest)
        return Sorted(accepted, duplicates, [refused[place] for place in sorted(refused)])

    def commit(self) -> None:
        """The batch is committed on Kafka."""
        for known in self._filters.values():
            known.commit()

    def rollback(self) -> None:
        """The batch was aborted."""
        for known in self._filters.values():
            known.rollback()

    def _decoded(self, records: list[SourceRecord], refused: dict[int, Refused]) -> _Candidates:
        raws: list[bytes | None] = [record.value for record in records]
        unread: dict[int, BadEventError] = {}
        if self._as_json is not None:
            raws, unread = self._as_json.all(raws)
        decoded = self._decoder.decode(raws)
        for place, misfit in decoded.refused:
            error = unread.get(place, misfit)
            refused[place] = Refused(records[place], error.reason, error.detail)
        sound = records if not decoded.refused else [records[place] for place in decoded.places]
        times = words(decoded.events.column(self._event.time))
        return _Candidates(decoded.places, sound, decoded.events, times)

    def _keyed(self, found: _Candidates, refused: dict[int, Refused]) -> _Candidates:
        """Without those whose Kafka key is not the declared field: their state would be on two partitions."""
        keys = [key.encode() for key in self._texts(found, self._event.key)]
        kept = np.ones(len(keys), np.bool_)
        for at, (record, key) in enumerate(zip(found.records, keys, strict=True)):
            if record.key != key:
                kept[at] = False
                refused[int(found.places[at])] = Refused(
                    record,
                    "wrong_key",
                    f"the message key is not {self._event.key}: events of one key must share a partition",
                )
        return found.only(kept)

    def _not_of_the_future(self, found: _Candidates, refused: dict[int, Refused]) -> _Candidates:
        arrivals = np.array([record.arrived_at for record in found.records], np.int64)
        kept = found.times <= arrivals + self._tolerance
        for at in np.flatnonzero(~kept):
            refused[int(found.places[at])] = Refused(
                found.records[at],
                "future_event",
                f"{to_text(int(found.times[at]))} is more than {format_duration(self._tolerance)} after its "
                "arrival",
            )
        return found.only(kept)

    def _new(
        self, found: _Candidates, refused: dict[int, Refused], newest: Callable[[int], int]
    ) -> tuple[Accepted, list[SourceRecord]]:
        """The events that were not there before, and the duplicates."""
        ids = self._texts(found, self._event.id)
        keys, bodies = keys_of(ids), [digest(record.value or b"") for record in found.records]
        events = Sound(ids, keys, bodies, [record.arrived_at for record in found.records], found.times)
        late, kept = np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.bool_)
        duplicates: list[int] = []
        for partition, rows in by_partition(found.records):
            sifted = self._sieve.sift(events.only(rows), self._filters[partition], newest(partition))
            late[rows], kept[rows] = sifted.late, sifted.kept
            duplicates += [rows[at] for at in sifted.duplicates]
            for at, reason, detail in sifted.refused:
                refused[int(found.places[rows[at]])] = Refused(found.records[rows[at]], reason, detail)
        sound = found.only(kept)
        if sound is not found:
            chosen = np.flatnonzero(kept).tolist()
            ids, bodies = [ids[at] for at in chosen], [bodies[at] for at in chosen]
        accepted = Accepted(sound.records, ids, bodies, sound.events, late[kept])
        return accepted, [found.records[at] for at in sorted(duplicates)]

    def _texts(self, found: _Candidates, name: str) -> list[str]:
        values = from_arrow(self._event.fields[name].type, found.events.column(name))
        return list(map(str, values))


def by_partition(records: list[SourceRecord]) -> list[tuple[int, list[int]]]:
    """The rows of each partition, in order."""
    rows: dict[int, list[int]] = {}
    for at, record in enumerate(records):
        rows.setdefault(record.partition, []).append(at)
    return list(rows.items())
