"""Past events of a file as labelled events, with their features, and with what was known of them when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from feature_store import duck
from feature_store.errors import ConfigError
from feature_store.store import FeatureStore
from streams.sources.past_events import read_past_events
from training.dataset.coded import Coded
from training.dataset.events import LabelledEvents
from training.dataset.reading import drawn_by, finite
from training.history.online import online_features
from training.history.order import in_order

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from streams.sources.past_events import PastEvents
    from training.history.order import Order
    from training.history.progress import OnProgress


@dataclass(frozen=True)
class Past:
    """Events with the whole truth about them, and when (us) it became known that one was a fraud.

    ``told`` means nothing where an event was legitimate: nobody says so, silence does, after ``maturity``.
    """

    events: LabelledEvents
    told: NDArray[np.int64]
    maturity: int

    def known_at(self, moment: int) -> LabelledEvents:
        """The events that were mature at ``moment`` (us), with the labels that were known then.

        A fraud that nobody had spoken of counts as legitimate: that is what training would have believed.
        """
        mature = int(np.searchsorted(self.events.time, moment - self.maturity, side="right"))
        events = self.events.where(slice(0, mature))
        return replace(events, fraud=events.fraud & (self.told[:mature] <= moment))


def read_past(pipeline: Pipeline, file: Path, since: int, until: int, tell: OnProgress) -> Past:
    """The events of ``file`` from ``since`` to before ``until`` (us), with the features that a scorer gives.

    Features count all that came before in the file. Raises ConfigError where the file does not fit the
    pipeline, or the pipeline declares no label.
    """
    label = pipeline.event.file.label
    if label is None:
        raise ConfigError("event.file.label: missing; a backtest has to know which past events were frauds")
    tell("reading", 0, 0)
    order = in_order(pipeline, read_past_events(pipeline, file))
    first, end = np.searchsorted(order.past.times, [since, until], side="left").tolist()
    features = _features(pipeline, order, first, end, tell)
    events = _labelled(pipeline, order.past, slice(first, end), features)
    return Past(events, events.time + label.delay, pipeline.outcomes.maturity)


def _features(
    pipeline: Pipeline, order: Order, first: int, end: int, tell: OnProgress
) -> NDArray[np.float64]:
    store = FeatureStore(pipeline)
    store.add_partition(0)
    found = np.empty((end - first, len(pipeline.feature_vector)))
    for began, stop, matrix in online_features(order, store):
        low, high = max(began, first), min(stop, end)
        if low < high:
            found[low - first : high - first] = matrix[low - began : high - began]
        tell("computing features", min(stop, end), end)
        if stop >= end:
            break
    return finite(found)


def _labelled(
    pipeline: Pipeline, past: PastEvents, rows: slice, features: NDArray[np.float64]
) -> LabelledEvents:
    count = len(features)
    keys = past.keys.slice(rows.start, count).dictionary_encode().indices
    return LabelledEvents(
        time=past.times[rows],
        fraud=np.asarray(past.fraud[rows], np.bool_),
        weight=np.ones(count),
        fit_weight=np.ones(count),
        propensity=np.ones(count),
        margin=np.full(count, np.nan),
        amount=_amounts(pipeline, past.events.slice(rows.start, count)),
        draw=_draws(pipeline, past.ids.slice(rows.start, count)),
        entity=keys.to_numpy(zero_copy_only=False).astype(np.int64),
        model=Coded(np.full(count, -1, np.int32), ()),
        policy_action=Coded(np.zeros(count, np.int32), ("approve",)),
        features=features,
    )


def _amounts(pipeline: Pipeline, events: pa.Table) -> NDArray[np.float64]:
    name = pipeline.decision.costs.amount
    if name is None:
        return np.full(events.num_rows, np.nan)
    return np.asarray(events[name].cast(pa.float64()).to_numpy(), np.float64)


def _draws(pipeline: Pipeline, ids: pa.Array[Any]) -> NDArray[np.float32]:
    query = f"SELECT {drawn_by(pipeline, 'id')} AS draw FROM past"  # noqa: S608  (the program's)
    with duck.memory() as connection, duck.relations(connection, past=pa.table({"id": ids})):
        table = connection.sql(query).to_arrow_table()
    return np.asarray(table["draw"].to_numpy(), np.float32)
