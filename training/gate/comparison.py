"""Not worse than the champion, on the same events, by a paired bootstrap over entities.

Two refusals, for they ask for different things:

* **worse_than_champion**: the whole interval of the difference lies below the tolerance.
* **no_verdict**: the interval is so wide that the challenger could be much worse without anybody noticing.
  The judged stretch has to be longer.

What lies between passes. A challenger is a new fit to newer data, no step away from the last one, so bad luck
of one night does not add to that of the next; and a gate that asked for proof of being better would keep an
ageing champion for want of frauds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.contract import Check
from training.evaluation.paired import paired_bootstrap
from training.gate.champion import WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.training import TrainingSpec
    from training.dataset.events import LabelledEvents
    from training.evaluation.paired import Paired
    from training.gate.champion import ChampionSide

WORSE = "worse_than_champion"
UNDECIDED = "no_verdict"


def compare(
    judged: LabelledEvents, ours: NDArray[np.float64], champion: ChampionSide, spec: TrainingSpec
) -> tuple[list[Check], dict[str, float]]:
    """Compare average precisions on the events that the champion may be judged on; the checks, and numbers.

    ``ours`` are the challenger's margins on all of ``judged``.
    """
    events = judged.where(champion.compared)
    if not spec.gate.min_frauds <= events.frauds < len(events):
        return [_too_few(events, champion, spec)], {"compared_frauds": float(events.frauds)}
    found = paired_bootstrap(
        events.fraud,
        ours[champion.compared],
        champion.margin,
        events.weight,
        events.entity,
        spec.seed,
        confidence=spec.gate.confidence,
    )
    numbers = {
        "compared_rows": float(len(events)),
        "compared_frauds": float(events.frauds),
        "difference": found.difference,
        "difference_low": found.low,
        "difference_high": found.high,
    }
    checks = [_worse(found, champion, spec), _undecided(found, events, spec)]
    return checks, {name: value for name, value in numbers.items() if np.isfinite(value)}


def _worse(found: Paired, champion: ChampionSide, spec: TrainingSpec) -> Check:
    tolerance = spec.gate.average_precision_tolerance
    return Check(
        WORSE,
        not found.surely_worse(tolerance),
        f"average precision {found.ours:.3f}; the champion {champion.version} has {found.theirs:.3f} "
        f"{WORDS[champion.source]}; the difference of {found.difference:+.3f} lies between {found.low:+.3f} "
        f"and {found.high:+.3f}, and {tolerance:g} less is tolerated",
    )


def _undecided(found: Paired, events: LabelledEvents, spec: TrainingSpec) -> Check:
    widest = spec.gate.widest_interval
    width = found.high - found.low
    return Check(
        UNDECIDED,
        widest is None or width <= widest,  # NaN where most resamples had no fraud: refused
        f"with {events.frauds:,} frauds among {len(events):,} judged events the difference from the champion "
        f"lies between {found.low:+.3f} and {found.high:+.3f}; training.gate.widest_interval allows "
        f"{widest} between the two: judge on a longer stretch (training.judged)",
    )


def _too_few(events: LabelledEvents, champion: ChampionSide, spec: TrainingSpec) -> Check:
    return Check(
        UNDECIDED,
        passed=False,
        said=f"{events.frauds:,} frauds among the {len(events):,} judged events that the champion "
        f"{champion.version} may be compared on ({WORDS[champion.source]}), training.gate.min_frauds asks "
        f"for {spec.gate.min_frauds:,}: judge on a longer stretch (training.judged)",
    )
