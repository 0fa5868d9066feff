"""The newest decisions in the store, each ascribed to the version that should have made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.duck import quoted
from streams.models.canary import CanaryDraw
from streams.scorer.scoring import MODEL_FAILED, NO_SCORE
from training.keeper.queries import sql
from training.keeper.release.alarms import Live

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from streams.messages import Release

MOST = 50_000
"""The newest events that are looked at: more say nothing that these do not."""

_FAULTS = (MODEL_FAILED, NO_SCORE)


@dataclass(frozen=True)
class Acted:
    """A version that acts, and since when: the epoch and the time (us) of the release that let it."""

    version: str
    epoch: int
    since: int


@dataclass(frozen=True)
class Ascribed:
    """Marks of events: those that a version decided, and those that it failed on."""

    its: NDArray[np.bool_]
    failed: NDArray[np.bool_]

    @property
    def acted_on(self) -> int:
        """How many it decided without fault."""
        return int(np.count_nonzero(self.its & ~self.failed))


def newest_decided(
    store: Connection, pipeline: Pipeline, acted: Acted, *, most: int = MOST, features: bool = False
) -> pa.Table:
    """What was decided since ``acted`` acts, the newest first, with features where they are asked for."""
    names = [quoted(each.name) for each in pipeline.feature_vector] if features else []
    query = sql("newest_decided").format(
        key=quoted(pipeline.whole.event.key), features="".join(f", {name}" for name in names)
    )
    parameters = {"epoch": acted.epoch, "since": acted.since, "most": most}
    table: pa.Table = store.sql(query, params=parameters).to_arrow_table()
    return table


def live_before(store: Connection, acted: Acted, window: int, least: int) -> Live:
    """How what acted before ``acted`` did on its last ``least`` events, at most ``window`` (us) before."""
    parameters = {"epoch": acted.epoch, "since": max(acted.since - window, 0), "most": least}
    decided = store.sql(sql("newest_before"), params=parameters).to_arrow_table()
    fallback = np.array(decided["fallback"].to_pylist(), dtype=object)
    failed = np.asarray(np.isin(fallback.astype(str), _FAULTS), np.bool_)
    scored = np.array([each is not None for each in decided["model"].to_pylist()], np.bool_)
    return live(decided, Ascribed(scored & ~failed, failed), 0, least)


def live(decided: pa.Table, mine: Ascribed, since: int, least: int) -> Live:
    """How a version did on its events from ``since`` (us) on.

    Where these are fewer than ``least``, on as many more before them. Events that it gave no score for no
    fault of its own are left out.
    """
    its, failed = mine.its, mine.failed
    rows = np.flatnonzero(its | failed)
    recent = int(np.count_nonzero(_numbers(decided, "arrived_at")[rows] >= since))
    rows = rows[: max(recent, least)]
    scored = rows[its[rows]]
    scores = np.asarray(decided["score"].to_numpy(), np.float64)[scored]
    arrived, at = _numbers(decided, "arrived_at")[rows], _numbers(decided, "decided_at")[rows]
    scores = scores[np.isfinite(scores)]
    return Live(len(rows), int(np.count_nonzero(failed[rows])), at - arrived, scores)


def ascribed(decided: pa.Table, pipeline: str, release: Release, version: str) -> Ascribed:
    """What ``version``, champion or canary of ``release``, decided, and what it failed on.

    An event that the canary was drawn for and did not decide is its failure, whoever decided in its place.
    """
    model = np.array(decided["model"].to_pylist(), dtype=object)
    fallback = np.array(decided["fallback"].to_pylist(), dtype=object)
    its = np.asarray(model == version, np.bool_)
    faulty = np.asarray(np.isin(fallback.astype(str), _FAULTS), np.bool_)
    drawn = np.zeros(len(model), np.bool_)
    if release.canary is not None:
        draw = CanaryDraw(pipeline, release.canary, release.canary_share)
        drawn = draw.drawn(decided["key"].combine_chunks())
    if version == release.canary:
        stood_in = np.asarray(model == release.champion, np.bool_)
        return Ascribed(its, drawn & (stood_in | faulty))
    return Ascribed(its, faulty & ~drawn)


def _numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    column: Any = table[name].to_numpy()
    return np.asarray(column, np.int64)
