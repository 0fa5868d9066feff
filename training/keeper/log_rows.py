"""The feature log as Arrow tables: scored rows, the deltas applied, what both were computed under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import structlog

from feature_store.claims import Claims
from feature_store.errors import ContractError
from feature_store.log import decode_whole_log
from training.keeper.definitions import digest_of
from training.keeper.rows import position, schema_of, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feature_store.log import LogMeta
    from streams.kafka import Message

log = structlog.get_logger()

BATCHES = schema_of(
    ("partition", pa.int32()),
    ("log_offset", pa.int64()),
    ("source_topic", pa.string()),
    ("first_offset", pa.int64()),
    ("next_offset", pa.int64()),
    ("row_count", pa.int32()),
    ("duplicates", pa.int32()),
    ("dead_letters", pa.int32()),
    ("release_epoch", pa.int64()),
    ("policy_offset", pa.int64()),
    ("definitions", pa.string()),
    ("claim", pa.int64()),
    ("claimed_at", pa.int64()),
)

TRACES = schema_of(
    ("source_partition", pa.int32()),
    ("source_offset", pa.int64()),
    ("trace", pa.list_(pa.string())),
)


@dataclass(frozen=True)
class LogTables:
    """What feature-log messages hold, one table per table of the store.

    A row of ``batches`` is one message: the rows of its partition with ``first_offset <= source_offset <
    next_offset`` were computed under ``definitions``, a digest that the mapping of that name spells out.
    ``said`` are the columns that all of ``deltas`` came with, ``delta_counts`` how many deltas each message
    had; ``traces`` is the trace context of events
    that were stopped or late, where they came with one.
    """

    scored: pa.Table
    batches: pa.Table
    deltas: pa.Table
    definitions: Mapping[str, Mapping[str, str]]
    said: frozenset[str]
    delta_counts: Sequence[int]
    traces: pa.Table


def log_tables(messages: Sequence[Message], claims: Claims | None = None) -> LogTables | None:
    """Decode feature-log messages; those that ``claims`` lets count, None where it is none of them.

    Raises ContractError naming the record that is not one.
    """
    claims = claims or Claims()
    scored, batches, deltas, delta_counts, traces = [], [], [], [], []
    definitions: dict[str, Mapping[str, str]] = {}
    for message in messages:
        try:
            batch, meta, learnt = decode_whole_log(message.value() or b"")
        except ContractError as error:
            raise ContractError(f"{position(message)}: {error}") from error
        if claims.superseded(message.partition() or 0, message.offset() or 0, meta):
            log.warning("log_message_passed_over", where=position(message), claim=meta.claim)
            continue
        scored.append(_plain(_with_decided_seq(batch)))
        if learnt is not None:
            deltas.append(_plain(learnt))
        delta_counts.append(0 if learnt is None else learnt.num_rows)
        digest = digest_of(meta.hashes)
        definitions[digest] = meta.hashes
        batches.append(_batch(message, meta, batch.num_rows, digest))
        traces += [(meta.partition, offset, trace) for offset, trace in meta.traces.items()]
    if not scored:
        return None
    try:
        return LogTables(
            scored=pa.concat_tables(scored, promote_options="default"),
            batches=table_of(BATCHES, batches),
            deltas=pa.concat_tables(deltas, promote_options="default") if deltas else pa.table({}),
            definitions=definitions,
            said=frozenset.intersection(*(frozenset(each.column_names) for each in deltas))
            if deltas
            else frozenset(),
            delta_counts=delta_counts,
            traces=table_of(TRACES, traces),
        )
    except pa.ArrowException as error:
        raise ContractError(f"{position(messages[0])} and after: columns changed type: {error}") from error


def _batch(message: Message, meta: LogMeta, row_count: int, digest: str) -> tuple[object, ...]:
    return (
        message.partition(),
        message.offset(),
        meta.topic,
        meta.first_offset,
        meta.next_offset,
        row_count,
        len(meta.duplicates),
        len(meta.dead_letters),
        meta.release_epoch,
        meta.policy_offset,
        digest,
        meta.claim,
        meta.claimed_at,
    )


def _plain(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch]).replace_schema_metadata(None)


def _with_decided_seq(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows; before ``decided_seq`` was logged, no feature could tell it from ``seq``."""
    if "decided_seq" in batch.schema.names:
        return batch
    return batch.append_column("decided_seq", batch.column("seq"))
