"""How two versions do on the same matured events: by what both scored live, or by what both would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.duck import quoted, relations
from training.dataset.labels import matured_labels
from training.evaluation.paired import Paired, paired_bootstrap
from training.evaluation.resampling import RESAMPLES
from training.keeper.queries import sql

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from training.keeper.release.live import Acted


def labelled(store: Connection, pipeline: Pipeline, now: int, since: int) -> pa.Table:
    """Matured events with ``fraud``, ``weight``, ``entity``, ``event_time``, and who scored them.

    Those that arrived from ``since`` (us) on: memory holds them all.
    """
    key = f"CAST({quoted(pipeline.whole.event.key)} AS VARCHAR)"
    wanted = [
        *("source_partition", "source_offset", "model", "score", "weight", "label = 'fraud' AS fraud"),
        f"hash({key}) AS entity",
        "event_time",
    ]
    return matured_labels(store, pipeline, now, columns=", ".join(wanted), since=since)


def scored_beside(store: Connection, events: pa.Table, of: Acted, champion: str) -> pa.Table:
    """The labelled ``events`` that a candidate scored live: ``ours`` its score, ``theirs`` the one beside."""
    with relations(store, given=events):
        parameters = {"version": of.version, "champion": champion, "epoch": of.epoch}
        found: pa.Table = store.sql(sql("paired_scores"), params=parameters).to_arrow_table()
    return found


def frauds_of(pairs: pa.Table) -> int:
    """How many frauds both scored."""
    return int(np.count_nonzero(pairs["fraud"].to_numpy()))


def compared(pairs: pa.Table, seed: int, confidence: float, resamples: int = RESAMPLES) -> Paired:
    """``ours`` against ``theirs``, by average precision, entities resampled."""
    _, entity = np.unique(pairs["entity"].to_numpy(), return_inverse=True)
    fraud, ours, theirs, weight = (pairs[name].to_numpy() for name in ("fraud", "ours", "theirs", "weight"))
    return paired_bootstrap(
        np.asarray(fraud, np.bool_),
        np.asarray(ours, np.float64),
        np.asarray(theirs, np.float64),
        np.asarray(weight, np.float64),
        np.asarray(entity, np.int64),
        seed,
        resamples,
        confidence=confidence,
    )
