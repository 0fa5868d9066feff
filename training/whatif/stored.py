"""Stored decisions with what became known about them, batch by batch in the order in which they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from feature_store import duck
from feature_store.log import seen_schema
from training.dataset.labels import instant, matured_labels, matured_until
from training.history.rows import FALLBACK
from training.keeper.history_export import EVENTS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

BATCH = 65_536

_LAST_KNOWN = """
SELECT max(epoch_us(arrived_at)) AS last FROM
(SELECT arrived_at FROM scored UNION ALL SELECT arrived_at FROM outcomes)
"""
_DECIDED = """
SELECT scored.*, known.label, known.weight, epoch_us(scored.event_time) AS "time us",
    epoch_us(scored.decided_at) AS "decided us",
    scored.event_time <= $matured AS mature
FROM scored LEFT JOIN known ON known.event_id = scored.event_id
WHERE scored.event_time >= $since AND scored.event_time < $until
    AND scored.policy_action IS NOT NULL AND scored.fallback IS DISTINCT FROM $history
ORDER BY scored.decided_at, scored.decided_seq, scored.seq
"""


def decided(pipeline: Pipeline, folder: Path, since: int, until: int) -> Iterator[pa.RecordBatch]:
    """The decisions on events from ``since`` to before ``until`` (us), of an exported history.

    ``label`` and ``weight`` are those of training, as far as all that arrived says: null where the truth is
    not known. What came from a file (``sluicegate backfill``) was decided by nobody, and is left out.
    """
    with duck.memory() as connection:
        for name, file in (("scored", EVENTS), ("outcomes", OUTCOMES)):
            connection.read_parquet(duck.path_of(folder / file)).create_view(name)
        as_of = connection.sql(_LAST_KNOWN).fetchall()[0][0] or 0
        known = matured_labels(connection, pipeline, as_of, columns="event_id, label, weight")
        connection.register("known", known)
        parameters = {
            "since": instant(since),
            "until": instant(until),
            "matured": instant(matured_until(pipeline, as_of)),
            "history": FALLBACK,
        }
        reader = connection.sql(_DECIDED, params=parameters).to_arrow_reader(BATCH)
        yield from (batch for batch in reader if batch.num_rows)


def seen_in(pipeline: Pipeline, batch: pa.RecordBatch) -> pa.RecordBatch:
    """What rules may speak of."""
    schema = seen_schema(pipeline)
    return pa.RecordBatch.from_arrays(
        [batch.column(field.name).cast(field.type) for field in schema], schema=schema
    )


def numbers(batch: pa.RecordBatch, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A column as float64, null as NaN."""
    return np.asarray(batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
