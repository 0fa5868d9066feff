"""The columns of a feature log batch that the monitor reads, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from feature_store.declaration.decision import Action
from feature_store.errors import ContractError

if TYPE_CHECKING:
    from streams.monitor.arrays import Flags, Floats, Ints

ACTIONS: tuple[str, ...] = tuple(Action)


class LogRows(NamedTuple):
    """One entry per decision; times are us since 1970 UTC."""

    event_ids: list[str]
    event_times: Ints
    record_times: Ints
    arrivals: Ints
    decided: Ints
    scores: Floats
    """NaN where no model scored."""
    models: list[str | None]
    """Versions; where none scored, why not (``cold_start``, ``deadline``, …)."""
    actions: Ints
    """Indices into ACTIONS."""
    stopped: Flags
    """By model and rules, before the control group."""
    propensity: Floats
    """Of being let through, where it would have been stopped; NaN where not known."""
    fallbacks: int
    offsets: Ints
    batch: pa.RecordBatch
    """The rows themselves."""


def read_rows(batch: pa.RecordBatch, from_offset: int) -> LogRows:
    """The rows at source offset ``from_offset`` and later.

    Raises ContractError where the batch is not a feature log.
    """
    try:
        new = batch.column("source_offset").to_numpy(zero_copy_only=False) >= from_offset
        if not new.all():
            batch = batch.filter(pa.array(new))
        return LogRows(
            event_ids=[str(value) for value in batch.column("event_id").to_pylist()],
            event_times=_micros(batch.column("event_time")),
            record_times=_micros(batch.column("record_time")),
            arrivals=_micros(batch.column("arrived_at")),
            decided=_micros(batch.column("decided_at")),
            scores=_floats(batch.column("score")),
            models=_decided_by(batch),
            actions=_actions(batch.column("action")),
            stopped=_actions(batch.column("policy_action")) != ACTIONS.index(Action.APPROVE),
            propensity=_floats(batch.column("propensity")),
            fallbacks=batch.num_rows - batch.column("fallback").null_count,
            offsets=batch.column("source_offset").to_numpy(zero_copy_only=False),
            batch=batch,
        )
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise ContractError(f"not rows of a feature log: {error!r}") from error


def _decided_by(batch: pa.RecordBatch) -> list[str | None]:
    versions, fallbacks = batch.column("model").to_pylist(), batch.column("fallback").to_pylist()
    return [version or fallback for version, fallback in zip(versions, fallbacks, strict=True)]


def _micros(column: pa.Array[Any]) -> Ints:
    if column.null_count:
        raise ValueError("an instant is null")
    return column.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(zero_copy_only=False)


def _actions(column: pa.Array[Any]) -> Ints:
    return np.fromiter(map(ACTIONS.index, column.to_pylist()), np.int64, len(column))


def _floats(column: pa.Array[Any]) -> Floats:
    return column.to_numpy(zero_copy_only=False).astype(np.float64)
