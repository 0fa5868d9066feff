"""Committed batches of the feature log, applied to a core in the order in which they were applied before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.declaration.decision import Action
from feature_store.errors import StateError
from feature_store.log import delta_schema, log_schema
from streams.scorer.entities import with_entities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.core import ScorerCore

_REPLAY_ROWS = 20_000


def replay(
    core: ScorerCore,
    pipeline: Pipeline,
    batches: Sequence[pa.RecordBatch],
    deltas: Sequence[pa.RecordBatch] = (),
    only: set[str] | None = None,
    events: Sequence[pa.RecordBatch] | None = None,
) -> int:
    """Apply rows and outcome deltas in applied order; the number of rows.

    With ``only``, just to these groups of features: everything else has them already. Deltas that do not say
    of a field to whom they belong are looked up among ``events``, which are the rows where not given.

    Raises StateError where they do not fit what is declared.
    """
    rows = _in_order([_replayed(pipeline, batch) for batch in batches], _replayed_schema(pipeline))
    known = deltas if pipeline.outcome_fields else ()
    learned = _in_order(
        _relearned(pipeline, known, batches if events is None else events), delta_schema(pipeline)
    )
    _refuse_strangers(core, rows, learned)
    # How many rows were applied before each delta; deltas between the same two rows go together.
    borders, starts = np.unique(np.searchsorted(_seqs(rows), _seqs(learned)), return_index=True)
    ends = np.append(starts, learned.num_rows)[1:]
    done = 0
    for border, start, end in zip(borders, starts, ends, strict=True):
        _apply_all(core, pipeline, rows.slice(done, border - done), only)
        for batch in learned.slice(start, end - start).to_batches():
            core.restore_deltas(batch, only)
        done = border
    _apply_all(core, pipeline, rows.slice(done), only)
    return rows.num_rows


def _refuse_strangers(core: ScorerCore, *tables: pa.Table) -> None:
    """Raise StateError for what is of a partition that is not being rebuilt."""
    held = list(core.positions)
    for table in tables:
        found = np.unique(table.column("source_partition").to_numpy())
        if (strange := np.setdiff1d(found, held)).size:
            raise StateError(f"the feature log of {held} holds something of partitions {strange.tolist()}")


def _in_order(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    return table.take(np.argsort(_seqs(table), kind="stable")).combine_chunks()


def _seqs(table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return table.column("seq").to_numpy()


def _apply_all(core: ScorerCore, pipeline: Pipeline, rows: pa.Table, only: set[str] | None) -> None:
    for batch in rows.to_batches(max_chunksize=_REPLAY_ROWS):
        _apply(core, pipeline, batch, only)


def _replayed_schema(pipeline: Pipeline) -> pa.Schema:
    full = log_schema(pipeline)
    own = ["event_id", "seq", "source_partition", "arrived_at", "body_digest"]
    if pipeline.decides:
        own += ["action", "decided_seq"]
    wanted = [*pipeline.event.fields, *own]
    return pa.schema([full.field(name) for name in dict.fromkeys(wanted)])


def _replayed(pipeline: Pipeline, batch: pa.RecordBatch) -> pa.Table:
    """What is needed of a batch of rows; a field that was declared later is null in it.

    Raises StateError where such a field is required, or has another type now: state would be another one.
    """
    schema = _replayed_schema(pipeline)
    for name, spec in pipeline.event.fields.items():
        if spec.required and name not in batch.schema.names:
            raise StateError(
                f"event.fields: {name!r} is required, but events that were decided before do not have it; "
                "declare it with required: false, or use other topics to start anew"
            )
    return pa.table([_column(batch, wanted) for wanted in schema], schema=schema)


def _relearned(
    pipeline: Pipeline, deltas: Sequence[pa.RecordBatch], events: Sequence[pa.RecordBatch]
) -> list[pa.Table]:
    """The deltas; what they do not say of a field, as it was no entity of outcomes then, their events do."""
    if not deltas:
        return []
    schema, fields = delta_schema(pipeline), pipeline.outcome_fields
    older = [any(f"entity_{name}" not in batch.schema.names for name in fields) for batch in deltas]
    table = pa.concat_tables(
        pa.table([_column(batch, wanted) for wanted in schema], schema=schema) for batch in deltas
    )
    if not any(older):
        return [table]
    marks = np.repeat(older, [batch.num_rows for batch in deltas])
    return [with_entities(table, marks, fields, [_replayed(pipeline, batch) for batch in events])]


def _column(batch: pa.RecordBatch, wanted: pa.Field[Any]) -> Any:
    if wanted.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, wanted.type)
    column = batch.column(wanted.name)
    if column.type != wanted.type:
        raise StateError(
            f"event.fields: {wanted.name!r} was {column.type} in events that were decided before and is "
            f"{wanted.type} now; give the field another name, or use other topics to start anew"
        )
    return column


def _apply(core: ScorerCore, pipeline: Pipeline, batch: pa.RecordBatch, only: set[str] | None) -> None:
    partitions: list[Any] = batch.column("source_partition").to_pylist()
    last_seq = _last_known(batch)
    if only is None and not pipeline.stages_before:
        _remember(core, partitions, batch)
    let_through = None
    if pipeline.decides:
        let_through = np.array(batch.column("action").to_pylist()) == Action.APPROVE.value
    core.restore(partitions, batch.select(list(pipeline.event.fields)), let_through, last_seq, only)


def _last_known(batch: pa.RecordBatch) -> int:
    """The last order that later events must come after: that from which on the decisions were known, too.
    These were made with a whole step, of which other partitions may have had the last events.
    """
    names = [name for name in ("seq", "decided_seq") if name in batch.schema.names]
    orders: list[int | None] = [pc.max(batch.column(name)).as_py() for name in names]
    return max(order for order in orders if order is not None)  # it was not always logged


def _remember(core: ScorerCore, partitions: list[Any], batch: pa.RecordBatch) -> None:
    arrivals: list[Any] = batch.column("arrived_at").cast(pa.int64()).to_pylist()
    digests: list[Any] = batch.column("body_digest").to_pylist()
    ids = [str(value) for value in batch.column("event_id").to_pylist()]
    for partition, event_id, body, arrival in zip(partitions, ids, digests, arrivals, strict=True):
        core.intake.filter_of(partition).remember(event_id, body, arrival)
