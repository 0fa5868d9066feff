"""The feature log: one Arrow record batch per source partition and micro-batch, complete by itself.

Rows are the events that were scored, in applied order. Columns, in this order:

* every declared event field, in its declared type (instants are UTC microseconds without a zone, since
  DuckDB's zone functions need an extension that is not in its wheel; decimals are decimal128);
* ``event_id`` and ``event_time``, unless the declared id and time already have these names;
* ``stage`` (0: unstaged, or the first) and ``seq``, the applied order: larger is later, over everything one
  state has seen;
* ``source_partition``, ``source_offset``, ``record_time`` (Kafka's own), ``arrived_at`` (by the clock);
* ``body_digest``, 128 bits of the raw message;
* ``late``: beyond the declared lateness, so that its windows may have been cut short;
* where the pipeline is staged (``feature_store.declaration.stages``): ``origin_partition`` and
  ``origin_offset`` of the event itself, since the source is what the stage before has sent on, and ``seq_0``,
  ``seq_1``, …: the applied order in each stage before; of those that count outcomes ``known_0``, ``known_1``,
  …: the ``route_seq`` of the last outcome that the stage had applied on the event's partition;
* every feature of the vector as float64, null where undefined;
* what was decided: ``margin, score, engine, model, policy_action, action, propensity, rules, fallback,
  decided_at``;
* ``decided_seq``: from which applied order on the action was known to features of other events (those with a
  larger ``seq``): the last seq of the step.

A stage that does not decide writes a log of its own, with the columns before the features.

A second Arrow stream behind the first holds the outcome deltas that were applied before these rows
(``delta_schema``). The metadata says under what the batch was decided, and where every source offset of the
stretch went.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.arrow_messages import read_stream
from feature_store.declaration.event import EventSpec, FieldType, Kind
from feature_store.errors import ContractError
from feature_store.formats import FIRST, refuse_newer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.pipeline import Pipeline

_META = b"sluicegate"
_UNREADABLE = (
    pa.ArrowException, OSError, EOFError, StopIteration, KeyError, ValueError, OverflowError, RecursionError,
    msgspec.MsgspecError,
)  # fmt: skip
"""What Arrow and the decoder raise of bytes that are something else."""
_INSTANT = pa.timestamp("us")
_NUMBERS = {"seq": pa.int64(), "source_partition": pa.int32(), "source_offset": pa.int64()}
_ALWAYS = ("event_id", "event_time", *_NUMBERS, "record_time", "arrived_at", "body_digest")
"""What every log has had since the first."""


class LogMeta(msgspec.Struct, frozen=True):
    """What holds for a whole batch.

    The stretch ``first_offset <= offset < next_offset`` of the source partition is accounted for: rows here,
    ``duplicates``, ``dead_letters``; what is in none of them was never a committed record.
    ``outcomes_offset`` is the next offset of the partition of entity outcomes, ``route_seq`` the last one
    that was applied: what was known. ``history`` is the last ``seq`` of past events that were in the state
    before this log began, 0 where there were none: then the state can be rebuilt from the log alone.
    ``claim`` is the number of the claim that it was written under, ``claimed_at`` the offset of the message
    that made it, -1 in this message itself; 0 and -1 where nothing is claimed (``feature_store.claims``).
    ``traces``: source offset -> the trace context of an event that more may be said of, as it was stopped or
    late: the values of its headers ``traceparent`` and, where it had one, ``tracestate``.
    """

    pipeline: str
    topic: str
    partition: int
    first_offset: int
    next_offset: int
    release_epoch: int
    policy_offset: int
    duplicates: list[int]
    dead_letters: list[int]
    hashes: dict[str, str]
    outcomes_offset: int = 0
    route_seq: int = 0
    history: int = 0
    claim: int = 0
    claimed_at: int = -1
    traces: dict[int, list[str]] = {}
    format: int = FIRST

    def __post_init__(self) -> None:
        """Raises NewerFormatError for what a newer release wrote."""
        refuse_newer(self.format)

    @property
    def makes_claim(self) -> bool:
        """Whether this message says who writes from here on, and nothing else."""
        return self.claim > 0 > self.claimed_at


def arrow_type(kind: FieldType) -> pa.DataType:
    """The Arrow type of a declared field."""
    plain: dict[Kind, pa.DataType] = {
        Kind.STRING: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.FLOAT: pa.float64(),
        Kind.BOOLEAN: pa.bool_(),
        Kind.TIMESTAMP: _INSTANT,
    }
    return plain.get(kind.kind) or pa.decimal128(kind.precision, kind.scale)


def event_schema(event: EventSpec) -> pa.Schema:
    """The declared fields of an event."""
    return pa.schema([pa.field(name, arrow_type(spec.type)) for name, spec in event.fields.items()])


def seen_schema(pipeline: Pipeline) -> pa.Schema:
    """What is known about an event when it is decided: its declared fields, and its features."""
    features = [pa.field(feature.name, pa.float64()) for feature in pipeline.feature_vector]
    return pa.schema([*event_schema(pipeline.event), *features])


def delta_schema(pipeline: Pipeline) -> pa.Schema:
    """The columns of outcome deltas: what became known about events, as features count it.

    ``seq`` is the applied order, shared with events; ``fraud`` is +1 or -1; ``let_through`` says whether the
    event was; the declared fields say to whom it belongs.
    """
    fields = pipeline.event.fields
    plain: list[tuple[str, pa.DataType]] = [
        ("seq", pa.int64()),
        ("route_seq", pa.int64()),
        ("source_partition", pa.int32()),
        ("event_id", pa.string()),
        ("event_time", _INSTANT),
        ("fraud", pa.int8()),
        ("let_through", pa.bool_()),
    ]
    entity = [(f"entity_{name}", arrow_type(fields[name].type)) for name in pipeline.outcome_fields]
    return pa.schema([pa.field(name, kind) for name, kind in plain + entity])


def known_columns(pipeline: Pipeline) -> list[str]:
    """The columns that say what the stages before knew of outcomes, of those that count them."""
    before = pipeline.stages_before
    return [stage.known for stage in pipeline.counting_stages if stage.number < before]


def log_schema(pipeline: Pipeline) -> pa.Schema:
    """The columns of the log that this pipeline, or the stage it is seen as, writes."""
    event = pipeline.event
    columns = list(event_schema(event))
    if event.id != "event_id":
        columns.append(pa.field("event_id", pa.string()))
    if event.time != "event_time":
        columns.append(pa.field("event_time", _INSTANT))
    columns += [
        pa.field("stage", pa.int8()),
        pa.field("seq", pa.int64()),
        pa.field("source_partition", pa.int32()),
        pa.field("source_offset", pa.int64()),
        pa.field("record_time", pa.timestamp("ms")),
        pa.field("arrived_at", _INSTANT),
        pa.field("body_digest", pa.binary(16)),
        pa.field("late", pa.bool_()),
    ]
    if pipeline.stages_before:
        columns += [pa.field("origin_partition", pa.int32()), pa.field("origin_offset", pa.int64())]
        columns += [pa.field(f"seq_{number}", pa.int64()) for number in range(pipeline.stages_before)]
        columns += [pa.field(name, pa.int64()) for name in known_columns(pipeline)]
    if not pipeline.decides:
        return pa.schema(columns)
    columns += [pa.field(feature.name, pa.float64()) for feature in pipeline.feature_vector]
    columns += [
        pa.field("margin", pa.float64()),
        pa.field("score", pa.float64()),
        pa.field("engine", pa.string()),
        pa.field("model", pa.string()),
        pa.field("policy_action", pa.string()),
        pa.field("action", pa.string()),
        pa.field("propensity", pa.float64()),
        pa.field("rules", pa.list_(pa.string())),
        pa.field("fallback", pa.string()),
        pa.field("decided_at", _INSTANT),
        pa.field("decided_seq", pa.int64()),
    ]
    return pa.schema(columns)


def encode_log(batch: pa.RecordBatch, meta: LogMeta, deltas: pa.RecordBatch | None = None) -> bytes:
    """One Kafka message: an Arrow IPC stream with the metadata in its schema, and one of deltas behind it."""
    batch = batch.replace_schema_metadata({_META: msgspec.json.encode(meta)})
    sink = pa.BufferOutputStream()
    for each in (batch, deltas):
        if each is not None and (each is batch or each.num_rows):
            with pa.ipc.new_stream(sink, each.schema) as writer:
                writer.write_batch(each)
    return bytes(sink.getvalue())


def decode_log(message: bytes) -> tuple[pa.RecordBatch, LogMeta]:
    """The rows and metadata of one message. Raises ContractError for anything else."""
    batch, meta, _ = decode_whole_log(message)
    return batch, meta


def decode_whole_log(message: bytes) -> tuple[pa.RecordBatch, LogMeta, pa.RecordBatch | None]:
    """Rows, metadata and the deltas that were applied before them. Raises ContractError for anything else."""
    source = pa.BufferReader(message)
    try:
        batch, metadata = read_stream(source)
        meta = msgspec.json.decode((metadata or {})[_META], type=LogMeta)
        deltas = read_stream(source)[0] if source.tell() < len(message) else None
    except _UNREADABLE as error:
        raise ContractError(f"not a feature log message: {error!r}") from error
    require_columns(batch, _ALWAYS)
    for name, wanted in _NUMBERS.items():
        if (found := batch.schema.field(name).type) != wanted:
            raise ContractError(f"not a feature log message: {name} is {found}, not {wanted}")
    return batch, meta, deltas


def require_columns(batch: pa.RecordBatch | pa.Table, names: Iterable[str]) -> None:
    """Raise ContractError naming the columns that the batch lacks."""
    there = frozenset(batch.schema.names)
    if missing := [name for name in names if name not in there]:
        raise ContractError(f"the feature log lacks {', '.join(missing)}")


def feature_matrix(
    batch: pa.RecordBatch | pa.Table, names: list[str]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The named feature columns as a (rows, features) float64 matrix; null is NaN.

    Raises ContractError naming a column that the batch lacks.
    """
    require_columns(batch, names)
    matrix = np.empty((batch.num_rows, len(names)))
    for position, name in enumerate(names):
        matrix[:, position] = batch.column(name).to_numpy(zero_copy_only=False)
    return matrix
