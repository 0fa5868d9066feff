"""The first half of a step: every record becomes a sound new event, a duplicate, or a dead letter."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from feature_store.decode import EventDecoder, Values
from feature_store.duplicates import DuplicateFilter, Seen, digest
from feature_store.errors import BadEventError
from feature_store.units import format_duration, to_text
from streams.scorer.records import Refused, SourceRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline

LATE = "late_event"
"""The reason of a dead letter that came later than ``features.lateness`` allows."""


@dataclass
class Accepted:
    """The sound new events of a batch, side by side, in applied order."""

    records: list[SourceRecord] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    late: list[bool] = field(default_factory=list)

    def add(self, record: SourceRecord, event_id: str, body: bytes, values: Values, late: bool) -> None:
        """One event more."""
        self.records.append(record)
        self.ids.append(event_id)
        self.digests.append(body)
        self.values.append(values)
        self.late.append(late)


@dataclass
class Sorted:
    """Where each record of a batch went."""

    accepted: Accepted = field(default_factory=Accepted)
    duplicates: list[SourceRecord] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Intake:
    """Checks records and remembers their ids, per partition."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._decoder = EventDecoder(pipeline.event)
        self._tolerance = pipeline.event.future_tolerance
        self._lateness = pipeline.features.lateness
        self._late_are_refused = pipeline.features.late == "dead_letter"
        self._key_field = pipeline.event.key
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
        """Decode and check every record; ``newest`` is a partition's newest event time before them."""
        found = Sorted()
        reached = {partition: newest(partition) for partition in {record.partition for record in records}}
        for record in records:
            try:
                admitted = self._admit(record, reached)
            except BadEventError as error:
                found.refused.append(Refused(record, error.reason, error.detail))
                continue
            if admitted is None:
                found.duplicates.append(record)
            else:
                found.accepted.add(record, *admitted)
        return found

    def commit(self) -> None:
        """The batch is committed on Kafka."""
        for known in self._filters.values():
            known.commit()

    def rollback(self) -> None:
        """The batch was aborted."""
        for known in self._filters.values():
            known.rollback()

    def _admit(self, record: SourceRecord, reached: dict[int, int]) -> tuple[str, bytes, Values, bool] | None:
        """Id, body digest, values and lateness of a sound new event; None for a duplicate.

        Raises BadEventError for what becomes a dead letter; its id is not remembered.
        """
        values = self._sound(record)
        event_id = str(values[self._decoder.id_position])
        body = digest(record.value or b"")
        time, newest = values[self._decoder.time_position], reached[record.partition]
        late = time < newest - self._lateness
        refused = late and self._late_are_refused
        known = self._filters[record.partition]
        seen = (known.look if refused else known.check)(event_id, body, record.arrived_at)
        if seen is Seen.DUPLICATE:
            return None
        if seen is Seen.REUSED:
            raise BadEventError(seen.value, f"{event_id!r} was an event with another body before")
        if refused:
            raise BadEventError(LATE, self._how_late(time, newest))
        if time > newest:
            reached[record.partition] = time
        return event_id, body, values, late

    def _how_late(self, time: int, newest: int) -> str:
        return (
            f"{to_text(time)} is {timedelta(microseconds=newest - time)} behind the newest event of its "
            f"partition; features.lateness is {format_duration(self._lateness)}"
        )

    def _sound(self, record: SourceRecord) -> Values:
        values = self._decoder.decode(record.value)
        key = str(values[self._decoder.key_position])
        if record.key != key.encode():
            raise BadEventError(
                "wrong_key",
                f"the message key is not {self._key_field}: events of one key must share a partition",
            )
        time = values[self._decoder.time_position]
        if time > record.arrived_at + self._tolerance:
            raise BadEventError(
                "future_event",
                f"{to_text(time)} is more than {format_duration(self._tolerance)} after its arrival",
            )
        return values
