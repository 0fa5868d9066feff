"""The first half of a step: every record becomes a sound new event, a duplicate, or a dead letter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from feature_store.decode import EventDecoder, Values
from feature_store.duplicates import DuplicateFilter, Seen, digest
from feature_store.errors import BadEventError
from feature_store.units import format_duration, to_text
from streams.scorer.records import Refused, SourceRecord

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


@dataclass
class Accepted:
    """The sound new events of a batch, side by side, in applied order."""

    records: list[SourceRecord] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)


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

    def sort(self, records: list[SourceRecord]) -> Sorted:
        """Decode and check every record."""
        found = Sorted()
        accepted = found.accepted
        for record in records:
            try:
                values = self._sound(record)
            except BadEventError as error:
                found.refused.append(Refused(record, error.reason, error.detail))
                continue
            event_id = str(values[self._decoder.id_position])
            body = digest(record.value or b"")
            seen = self._filters[record.partition].check(event_id, body, record.arrived_at)
            if seen is Seen.DUPLICATE:
                found.duplicates.append(record)
                continue
            if seen is Seen.REUSED:
                detail = f"{event_id!r} was an event with another body before"
                found.refused.append(Refused(record, seen.value, detail))
                continue
            accepted.records.append(record)
            accepted.ids.append(event_id)
            accepted.digests.append(body)
            accepted.values.append(values)
        return found

    def commit(self) -> None:
        """The batch is committed on Kafka."""
        for known in self._filters.values():
            known.commit()

    def rollback(self) -> None:
        """The batch was aborted."""
        for known in self._filters.values():
            known.rollback()

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
