"""Outcome deltas on their way into the features: checked, each applied once, in routed order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.declaration.event import Kind
from feature_store.errors import ContractError
from feature_store.log import delta_schema
from feature_store.units import FIRST_INSTANT, LAST_INSTANT, from_text
from streams.messages import OutcomeDelta

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.records import SourceDelta

_LARGEST = 2**63 - 1
_KINDS: dict[Kind, type] = {Kind.STRING: str, Kind.INTEGER: int, Kind.BOOLEAN: bool}


class OutcomePosition(NamedTuple):
    """Where the entity outcomes of a partition stand: next offset, and the last ``route_seq`` applied."""

    offset: int = 0
    route_seq: int = 0


NOTHING_KNOWN = OutcomePosition()


class DeltaDecoder:
    """Decodes and checks the messages of the entity-outcomes topic."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._decode = msgspec.json.Decoder(OutcomeDelta).decode
        fields = pipeline.event.fields
        self._fields = [(name, fields[name].type.kind) for name in pipeline.outcome_fields]
        self.older = 0
        """How many sound deltas did not say of every field to whom they belong."""

    def decode(self, raw: bytes | None) -> tuple[Any, ...]:
        """The values of ``delta_schema`` from ``event_id`` on, behind ``route_seq``.

        A field that was declared after the delta was routed is None. Raises ContractError for anything but a
        sound delta.
        """
        try:
            delta = self._decode(raw or b"")
            event_time = from_text(delta.event_time)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
            raise ContractError(f"not an outcome delta: {error}") from None
        if delta.fraud not in {1, -1}:
            raise ContractError(f"fraud is {delta.fraud}, expected 1 or -1")
        if not 0 < delta.route_seq <= _LARGEST:
            raise ContractError(f"route_seq is {delta.route_seq}, expected 1 or more")
        if not FIRST_INSTANT <= event_time <= LAST_INSTANT:
            raise ContractError(f"event_time {delta.event_time} is not in the years 1 to 9999 UTC")
        entity = [_checked(name, kind, delta.entity.get(name)) for name, kind in self._fields]
        self.older += any(name not in delta.entity for name, _ in self._fields)
        return (delta.route_seq, delta.event_id, event_time, delta.fraud, delta.let_through, *entity)


class DeltaBook:
    """Which deltas were applied, per partition. Changes are pending until ``commit``."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._schema = delta_schema(pipeline)
        self._nothing = pa.RecordBatch.from_pylist([], schema=self._schema)
        self._committed: dict[int, OutcomePosition] = {}
        self._pending: dict[int, OutcomePosition] = {}

    def add_partition(self, partition: int, position: OutcomePosition = NOTHING_KNOWN) -> None:
        """Take on a partition of which everything up to ``position`` was applied."""
        self._committed[partition] = position

    def drop_partition(self, partition: int) -> None:
        """Forget a partition."""
        self._committed.pop(partition, None)

    @property
    def committed(self) -> dict[int, OutcomePosition]:
        """Partition -> position, as committed."""
        return dict(self._committed)

    def before(self, partition: int) -> OutcomePosition:
        """The position without what is pending."""
        return self._committed[partition]

    def position(self, partition: int) -> OutcomePosition:
        """The position with what is pending."""
        return self._pending.get(partition) or self._committed[partition]

    def take(self, deltas: Iterable[SourceDelta], first_seq: int) -> pa.RecordBatch:
        """Those that were not applied before, numbered from ``first_seq`` in the order given."""
        rows: list[tuple[Any, ...]] = []
        for partition, offset, values in deltas:
            position = self.position(partition)
            route_seq = position.route_seq
            if values is not None and values[0] > route_seq:
                route_seq = values[0]
                rows.append((first_seq + len(rows), route_seq, partition, *values[1:]))
            self._pending[partition] = OutcomePosition(max(offset + 1, position.offset), route_seq)
        if not rows:
            return self._nothing
        columns = zip(*rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        return pa.record_batch(arrays, schema=self._schema)

    def commit(self) -> None:
        """The step is committed on Kafka."""
        self._committed |= self._pending
        self._pending = {}

    def rollback(self) -> None:
        """The step was aborted."""
        self._pending = {}


def deltas_of(partition: int, deltas: pa.RecordBatch) -> pa.RecordBatch:
    """The deltas of one partition."""
    if not deltas.num_rows:
        return deltas
    return deltas.take(np.flatnonzero(deltas.column("source_partition").to_numpy() == partition))


def _checked(name: str, kind: Kind, value: str | int | bool | None) -> str | int | bool | None:
    if value is None:
        return None
    if type(value) is not _KINDS[kind] or (type(value) is int and abs(value) > _LARGEST):
        raise ContractError(f"entity.{name}: expected {kind}, as declared")
    return value
