"""What is sunk beside the feature log: Kafka records as Arrow tables, one per table of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import pyarrow as pa

from feature_store.errors import ContractError
from feature_store.units import from_text
from streams.kafka import headers_of
from streams.messages import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.clock import Clock
    from streams.kafka import Message

_INSTANT = pa.timestamp("us")
_POSITION: list[tuple[str, pa.DataType]] = [("partition", pa.int32()), ("offset", pa.int64())]


def schema_of(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    """Names and types as a schema."""
    return pa.schema([pa.field(name, kind) for name, kind in columns])


_DECISIONS = schema_of(
    *_POSITION,
    ("event_id", pa.string()),
    ("source_topic", pa.string()),
    ("source_partition", pa.int32()),
    ("source_offset", pa.int64()),
    ("action", pa.string()),
    ("release_epoch", pa.int64()),
    ("message", pa.string()),
)
_AMENDMENTS = schema_of(
    *_POSITION,
    ("event_id", pa.string()),
    ("source_partition", pa.int32()),
    ("source_offset", pa.int64()),
    ("replaced_partition", pa.int32()),
    ("replaced_offset", pa.int64()),
    ("action", pa.string()),
    ("message", pa.string()),
)
_OUTCOMES = schema_of(
    *_POSITION,
    ("event_id", pa.string()),
    ("label", pa.string()),
    ("source", pa.string()),
    ("observed_at", _INSTANT),
    ("arrived_at", _INSTANT),
)
_REFUSED = schema_of(*_POSITION, ("reason", pa.string()), ("message", pa.binary()))


_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Place(msgspec.Struct, frozen=True):
    """Where a record stands; the columns hold no other numbers."""

    topic: str
    partition: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    offset: _Number


class _Decided(msgspec.Struct, frozen=True):
    """The part of a decision that becomes columns; the rest stays in the message."""

    event_id: str
    action: str
    release: _Number
    source: _Place
    amends: _Place | None = None


_decided = msgspec.json.Decoder(_Decided)
_outcome = msgspec.json.Decoder(Outcome)


def decision_tables(messages: Sequence[Message]) -> tuple[pa.Table, pa.Table]:
    """Decisions with their whole message, and those that amend one. Raises ContractError naming the record
    that is neither.
    """
    decisions, amendments = [], []
    for message in messages:
        decided, text = _read_decision(message)
        where = (message.partition(), message.offset(), decided.event_id)
        source, first = decided.source, decided.amends
        if first is None:
            place = (source.topic, source.partition, source.offset)
            decisions.append((*where, *place, decided.action, decided.release, text))
        else:
            places = (source.partition, source.offset, first.partition, first.offset)
            amendments.append((*where, *places, decided.action, text))
    return table_of(_DECISIONS, decisions), table_of(_AMENDMENTS, amendments)


def _read_decision(message: Message) -> tuple[_Decided, str]:
    value = message.value() or b""
    try:
        return _decided.decode(value), value.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ContractError(f"{position(message)}: not a decision: {error}") from error


def outcome_tables(messages: Sequence[Message], clock: Clock) -> tuple[pa.Table, pa.Table]:
    """The outcomes, and those refused with the reason: outcomes come from outside and may be anything."""
    outcomes, refused = [], []
    for message in messages:
        where = (message.partition(), message.offset())
        value = message.value() or b""
        try:
            outcome = _outcome.decode(value)
            observed = from_text(outcome.observed_at)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            refused.append((*where, str(error), value))
            continue
        arrived = clock.arrival(headers_of(message), message.timestamp()[1])
        outcomes.append((*where, outcome.event_id, outcome.label.value, outcome.source, observed, arrived))
    return table_of(_OUTCOMES, outcomes), table_of(_REFUSED, refused)


def offset_table(offsets: dict[tuple[str, int], int]) -> pa.Table:
    """Where to go on: (topic, partition) -> next offset."""
    return pa.table(
        {
            "topic": pa.array([topic for topic, _ in offsets], pa.string()),
            "partition": pa.array([partition for _, partition in offsets], pa.int32()),
            "next_offset": pa.array(list(offsets.values()), pa.int64()),
        }
    )


def position(message: Message) -> str:
    """Where a record stands, for people."""
    return f"{message.topic()}[{message.partition()}]@{message.offset()}"


def table_of(schema: pa.Schema, records: Sequence[tuple[object, ...]]) -> pa.Table:
    """Records as a table; also of none."""
    columns = zip(*records, strict=True) if records else ((),) * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
