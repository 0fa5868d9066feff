"""Whether stored history knew the outcomes that a file gives it.

A feature of outcomes counts what had been applied before an event. Events that were decided live, or taken
in while no feature counted outcomes, did not see what the file says was known by then: values from the file
would be those of a past that was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feature_store.errors import ConfigError
from training.history.order import in_order
from training.keeper.history_export import DELTAS, EVENTS

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.sources.past_events import PastEvents


def refuse_other_outcomes(pipeline: Pipeline, past: PastEvents, names: list[str], folder: Path) -> None:
    """Raise ConfigError where ``names`` has features of outcomes, and the exported history in ``folder`` did
    not see the outcomes of ``past`` as they would be filled in.
    """
    windows = pipeline.features.window_features()
    counting = [f.name for f in windows if f.name in set(names) and f.aggregate.of_outcomes]
    if not counting:
        return
    events = pq.read_table(folder / EVENTS, columns=["event_id", "source_offset", "seq"])
    ids = past.ids.cast(pa.string())
    stored = events.filter(pc.is_in(events["event_id"].cast(pa.string()), value_set=ids))
    live = int((stored["source_offset"].to_numpy() >= 0).sum())
    if live:
        raise _refused(counting, f"{live} events of the file were decided live, with what was known then")
    fields = pipeline.outcome_fields
    applied = pq.read_table(folder / DELTAS)
    last = stored["seq"].to_numpy().max(initial=0)
    before = _said(applied.filter(pa.array(applied["seq"].to_numpy() <= last)), fields)
    unlike = _said(in_order(pipeline, past).deltas, fields) ^ before
    if unlike:
        count = len({event for event, *_ in unlike})
        raise _refused(counting, f"of {count} frauds the stored history does not say what the file says")


def _said(deltas: pa.Table | pa.RecordBatch, fields: tuple[str, ...]) -> set[tuple[Any, ...]]:
    names = ["event_id", "fraud", *(f"entity_{name}" for name in fields)]
    return set(zip(*(deltas.column(name).to_pylist() for name in names), strict=True))


def _refused(counting: list[str], why: str) -> ConfigError:
    return ConfigError(
        f"{', '.join(counting)}: cannot be filled in from the file: {why}. A feature of outcomes counts what "
        "had been applied before an event. Leave these out of the pipeline file, fill the other new features "
        "in, then declare these again: scorers compute them for every event from then on. To have them in "
        "history, too, fill the whole file into another state folder, with other topics"
    )
