"""The state that past events leave behind, as the snapshots that a scorer begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.duplicates import ANY_BODY, DuplicateFilter
from feature_store.snapshots import PartitionPosition, Snapshot, capture, units_of

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.store import FeatureStore
    from training.history.order import Order


def snapshots_of(pipeline: Pipeline, order: Order, store: FeatureStore) -> list[Snapshot]:
    """One snapshot per unit of state: the windows of ``store``, the ids that are still remembered.

    ``pipeline`` is a staged one as one of its stages sees it: the first remembers ids, those that count
    outcomes have learnt of them. They stand before the first live event and the first live outcome, after the
    last delta of the history.
    """
    partitions = range(pipeline.topics.partitions)
    filters = {partition: _ids(pipeline, order, partition) for partition in partitions}
    deltas = order.deltas if pipeline.decides else order.deltas_in(pipeline.stages_before)
    if not pipeline.outcome_fields:
        deltas = deltas.slice(0, 0)
    route_seqs = deltas["route_seq"].to_numpy()
    of_deltas = deltas["source_partition"].to_numpy()
    positions = {
        partition: PartitionPosition(
            events=0, outcomes=0, route_seq=int(route_seqs[of_deltas == partition].max(initial=0))
        )
        for partition in partitions
    }
    seq = max(int(order.seqs.max(initial=0)), int(order.deltas["seq"].to_numpy().max(initial=0)))
    return [
        capture(pipeline, unit, store, filters, {p: positions[p] for p in held}, seq)
        for unit, held in units_of(pipeline, partitions).items()
    ]


def _ids(pipeline: Pipeline, order: Order, partition: int) -> DuplicateFilter:
    """The ids of a partition's last events; the body that they had is not known."""
    known = DuplicateFilter(pipeline.decision.duplicates)
    if pipeline.stages_before:
        return known  # the first stage has asked
    places = np.flatnonzero(order.origins == partition)
    times = order.past.times[places]
    recent = times >= times.max(initial=0) - pipeline.decision.duplicates.window
    ids = order.past.ids.take(places[recent]).to_pylist()
    for event_id, time in zip(ids, times[recent].tolist(), strict=True):
        known.remember(str(event_id), ANY_BODY, time)
    known.commit()
    return known
