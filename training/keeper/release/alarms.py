"""What a version did in the newest window, and whether that is alarming."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from training.score_bins import shift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.release import RollbackSpec
    from streams.messages.model import ScoreBins

Kind = Literal["failures", "latency", "score_shift", "precision"]

_SECOND = 1_000_000


@dataclass(frozen=True)
class Live:
    """Events that a version should have decided, the newest ones.

    ``latency``: from arrival to decision (us), of each; ``scores``: of those that it gave one.
    """

    events: int
    failures: int
    latency: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Alarm:
    """Something that a version must not go on with."""

    kind: Kind
    said: str


def alarm_of(spec: RollbackSpec, live: Live, judged: ScoreBins | None) -> Alarm | None:
    """The first alarm, the gravest kind first; None where nothing alarms, or too few events say anything."""
    if live.events < spec.least:
        return None
    if spec.failures is not None and live.failures > spec.failures * live.events:
        share = live.failures / live.events
        return Alarm("failures", f"it gave no score for {share:.1%} of {live.events:,} events")
    if spec.latency is not None and len(live.latency):
        slowest = float(np.quantile(live.latency, 0.99))
        if slowest > spec.latency:
            return Alarm(
                "latency",
                f"one in a hundred of {live.events:,} events waited {slowest / _SECOND:.3g} s or longer; "
                f"training.release.rollback.latency is {spec.latency / _SECOND:.3g} s",
            )
    if spec.score_shift is not None and judged is not None and len(live.scores) >= spec.least:
        moved = shift(judged, live.scores)
        if moved > spec.score_shift:
            return Alarm(
                "score_shift",
                f"{len(live.scores):,} scores have a population stability index of {moved:.2f} against the "
                f"judged ones, {spec.score_shift:g} is allowed",
            )
    return None
