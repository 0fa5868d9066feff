"""Whether the feature log still reaches back as far as the state that is rebuilt from it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from feature_store.errors import StateError
from feature_store.units import format_duration, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.partition_log import PartitionLog


class _Row(NamedTuple):
    time: int
    arrived_at: int


def refuse_a_short_log(
    pipeline: Pipeline, logs: Iterable[PartitionLog], groups: set[str] | None, newest: int
) -> None:
    """Raise StateError where a log that was cut in front, or began after a history, lacks events that a
    window may still count.

    ``groups`` are the groups of features that are built from it, None is all of them and the remembered ids;
    ``newest`` is the newest event time. An event that was in time was not further behind what came before it
    than ``features.lateness``: so what was cut off before it is older than its own time and that.
    """
    reach, feature = max(
        (
            (f.reach, f.name)
            for f in pipeline.features.window_features()
            if groups is None or f.group in groups
        ),
        default=(0, ""),
    )
    reach += pipeline.features.lateness
    window = pipeline.decision.duplicates.window
    remembers = groups is None and not pipeline.stages_before
    removed_is_older = pipeline.keeps(max(reach, window) if remembers else reach)
    for log in logs:
        if log.first == 0 and not log.history:
            continue
        rows = [batch for batch in (*log.before.rows, *log.after.rows) if batch.num_rows]
        first = _first_in_time(pipeline, rows)
        if first is None and not log.history and removed_is_older:
            continue
        if feature and (first is None or first.time > newest - reach):
            raise _too_short(
                pipeline, log, f"{feature} counts what is up to {format_duration(reach)} old", first
            )
        if remembers and rows and (first is None or first.arrived_at > _last_arrival(rows) - window):
            what = f"duplicates are known for {format_duration(window)}"
            raise _too_short(pipeline, log, what, first)


def _first_in_time(pipeline: Pipeline, rows: list[pa.RecordBatch]) -> _Row | None:
    for batch in rows:
        names = batch.schema.names
        late = batch.column("late").to_numpy(zero_copy_only=False) if "late" in names else np.False_
        in_time = np.flatnonzero(~np.broadcast_to(late, batch.num_rows))
        if len(in_time):
            place = int(in_time[0])
            time, arrived_at = (
                batch.column(name).cast(pa.int64())[place].as_py()
                for name in (pipeline.event.time, "arrived_at")
            )
            return _Row(time, arrived_at)
    return None


def _last_arrival(rows: list[pa.RecordBatch]) -> int:
    return int(rows[-1].column("arrived_at").cast(pa.int64())[-1].as_py())


def _too_short(pipeline: Pipeline, log: PartitionLog, what: str, first: _Row | None) -> StateError:
    begins = "holds no event" if first is None else f"begins with {to_text(first.time)}"
    return StateError(
        f"{pipeline.topics.features}/{log.partition}: {what}, but the feature log {begins}, older events "
        "were removed from it, and no snapshot has them. Name the place where the snapshots are in "
        "serving.snapshots.store, shorten the windows, fill the past in with `sluicegate backfill`, or use "
        "other topics to start anew; topics.retention says how long the log is kept"
    )
