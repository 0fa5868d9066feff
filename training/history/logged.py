"""What was logged, held to the twin: whether live decisions saw the features that are declared."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from feature_store import duck
from training.history.backfill import scratch
from training.history.check import Checked, against_twin
from training.history.offline import DELTAS, EVENTS
from training.keeper import history_export as export

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from training.history.keeper import KeptHistory
    from training.history.progress import OnProgress


_NEEDED = ("event_id", "source_partition", "source_offset", "seq", "late", "definitions")


@dataclass(frozen=True)
class _Logged:
    """Events as they were logged, in the order of partition and applied order."""

    ids: Any
    features: dict[str, NDArray[np.float64]]
    asked: NDArray[np.bool_]
    in_time: NDArray[np.bool_]
    definitions: NDArray[np.object_]


def check_stored(pipeline: Pipeline, kept: KeptHistory, state_dir: Path, on_progress: OnProgress) -> Checked:
    """``check_history`` of what is stored now.

    Between stages events overtake each other: one that is stored may have counted another that is still on
    its way. So where a staged history differs it is read again, and what was there first is held to it.
    """
    with scratch(state_dir) as folder, scratch(state_dir) as later:
        kept.export(folder)
        checked = check_history(pipeline, folder, on_progress)
        if not (checked.differences and pipeline.stages):
            return checked
        kept.export(later)
        return check_history(pipeline, later, on_progress, folder)


def check_history(
    pipeline: Pipeline, folder: Path, on_progress: OnProgress, first: Path | None = None
) -> Checked:
    """Compare the features in ``folder``, an exported history, with what the twin computes anew.

    Only of events that are in ``first``, too, an earlier export, where it is given. Late events are left
    out, since their windows may have been cut short; and, feature by feature, events that were computed under
    another definition of it, or under one that was not kept.
    """
    on_progress("reading", 0, 0)
    logged = _read(pipeline, folder, first)
    rows = _comparable(pipeline, folder, logged)
    with _relations(folder) as connection:
        told = against_twin(pipeline.deciding, connection, logged.ids, logged.features, rows, on_progress)
    asked, kept = int(logged.asked.sum()), int((logged.asked & logged.in_time).sum())
    features = tuple(replace(each, other=kept - each.rows) for each in told)
    return Checked(asked, asked - kept, features)


def _read(pipeline: Pipeline, folder: Path, first: Path | None) -> _Logged:
    names = [feature.name for feature in pipeline.feature_vector]
    stored = set(pq.read_schema(folder / export.EVENTS).names)
    table = pq.read_table(
        folder / export.EVENTS, columns=[*_NEEDED, *(name for name in names if name in stored)]
    ).sort_by([("source_partition", "ascending"), ("seq", "ascending")])
    nowhere = np.full(table.num_rows, np.nan)
    features = {name: table[name].to_numpy() if name in stored else nowhere for name in names}
    in_time = table["late"].to_numpy(zero_copy_only=False) != True  # noqa: E712  (null is in time, too)
    definitions = table["definitions"].to_numpy(zero_copy_only=False)
    asked = np.ones(table.num_rows, np.bool_) if first is None else _among(table, first)
    return _Logged(table["event_id"], features, asked, in_time, definitions)


def _among(table: pa.Table, first: Path) -> NDArray[np.bool_]:
    """Which rows an earlier export has, too: each partition was stored in its order."""
    partition, offset = "source_partition", "source_offset"
    earlier = pq.read_table(first / export.EVENTS, columns=[partition, offset])
    ends = earlier.group_by(partition).aggregate([(offset, "max")]).rename_columns([partition, "end"])
    reached = dict(zip(ends[partition].to_pylist(), ends["end"].to_pylist(), strict=True))
    until = np.array([reached.get(each, -(2**63)) for each in table[partition].to_pylist()], np.int64)
    found: NDArray[np.bool_] = table[offset].to_numpy() <= until
    return found


def _comparable(pipeline: Pipeline, folder: Path, logged: _Logged) -> dict[str, NDArray[np.int64]]:
    """Feature -> the places of the events that are compared."""
    under: dict[tuple[str, str], list[str]] = {}
    for each in pq.read_table(folder / export.DEFINITIONS).to_pylist():
        under.setdefault((each["name"], each["hash"]), []).append(each["digest"])
    places = {}
    for feature in pipeline.feature_vector:
        same = np.isin(logged.definitions.astype(str), under.get((feature.name, feature.hash), []))
        places[feature.name] = np.flatnonzero(logged.asked & logged.in_time & same)
    return places


@contextmanager
def _relations(folder: Path) -> Iterator[duck.Connection]:
    connection = duck.memory()
    try:
        for name, file in ((EVENTS, export.EVENTS), (DELTAS, export.DELTAS)):
            connection.read_parquet(duck.path_of(folder / file)).create_view(name)
        yield connection
    finally:
        connection.close()
