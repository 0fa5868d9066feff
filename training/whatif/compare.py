"""What was really decided beside what would have been: money, recall, false declines, and the queue by day.

Money and recall are of the events whose truth is known, by their weight in training: a let-through event of
the control group stands for those like it that were stopped. Both sides are judged by what the policy asked
for, before the control group drew, and by the candidate's costs. The queue counts every event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from streams.policies.actions import DECLINE, REVIEW, strength_of
from training.evaluation.cards import DAY
from training.evaluation.operating import SUMS, from_sums, summands
from training.evaluation.scored import Scored
from training.whatif.redecide import Redecider
from training.whatif.stored import decided, numbers

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from feature_store.declaration.decision import Costs
    from feature_store.declaration.pipeline import Pipeline
    from streams.policies.actions import Strengths
    from training.history.progress import OnProgress
    from training.whatif.candidate import Candidate

_ACTIONS = 3


@dataclass
class Side:
    """One policy's sums; ``reviews`` and ``declines`` are expected numbers by day (its first instant, us)."""

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(SUMS)))
    false_declines: float = 0.0
    asked: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_ACTIONS, np.int64))
    reviews: dict[int, float] = field(default_factory=dict)
    declines: dict[int, float] = field(default_factory=dict)

    def figures(self) -> dict[str, float]:
        """By name; NaN where one is undefined. ``lost`` and what it is made of are in the amount's unit."""
        found = {name: float(value[0]) for name, value in from_sums(self.sums[None, :]).items()}
        found.pop("brier")  # of scores, which are the same on both sides
        found["legitimate_declined"] = self.false_declines
        return found


@dataclass
class Comparison:
    """Both sides. ``labelled`` events are judged by, and stand for ``weight`` events.

    ``changed`` events would be decided otherwise; of ``in_the_dark`` of them, mature by now, nobody knows the
    truth, and no let-through event stands for them: what they would cost or save is in no figure.
    """

    events: int = 0
    labelled: int = 0
    weight: float = 0.0
    changed: int = 0
    in_the_dark: int = 0
    by_day: dict[int, float] = field(default_factory=dict)
    really: Side = field(default_factory=Side)
    what_if: Side = field(default_factory=Side)


def compare(
    pipeline: Pipeline, candidate: Candidate, folder: Path, since: int, until: int, tell: OnProgress
) -> Comparison:
    """Decide the exported history in ``folder`` again, events from ``since`` to before ``until`` (us).

    Raises PolicyError or ConfigError where the candidate does not fit the stored events.
    """
    again = Redecider(candidate)
    rate = pipeline.outcomes.control_group.rate
    found = Comparison()
    for batch in decided(pipeline, folder, since, until):
        _add(found, batch, again, candidate.pipeline.decision.costs, rate)
        tell("deciding again", found.events, 0)
    return found


def _add(found: Comparison, batch: pa.RecordBatch, again: Redecider, costs: Costs, rate: float) -> None:
    really = _strengths(batch, "policy_action")
    tried, final = again.actions(batch)
    day = numbers(batch, "time us").astype(np.int64) // DAY * DAY
    weight = np.nan_to_num(numbers(batch, "weight"))
    judged = weight > 0
    mature = np.asarray(batch.column("mature").to_numpy(zero_copy_only=False), np.bool_)
    represented = judged | (numbers(batch, "propensity") > 0)
    found.events += batch.num_rows
    found.labelled += int(judged.sum())
    found.weight += float(weight.sum())
    found.changed += int((really != tried).sum())
    found.in_the_dark += int(((really != tried) & mature & ~represented).sum())
    _count(found.by_day, day, np.ones(len(day)))
    acted = _strengths(batch, "action")
    _queue(found.really, day, acted, np.ones(len(day)))
    _queue(found.what_if, day, tried, np.where(final, 1.0, 1.0 - rate))
    scored = _scored(batch, again, weight)
    for side, actions in ((found.really, really), (found.what_if, tried)):
        side.asked += np.bincount(actions, minlength=_ACTIONS)
        side.sums += weight @ summands(scored, actions, costs)
        side.false_declines += float(weight[(actions == DECLINE) & ~scored.fraud].sum())


def _scored(batch: pa.RecordBatch, again: Redecider, weight: NDArray[np.float64]) -> Scored:
    label = np.asarray(batch.column("label").to_pylist(), object)
    return Scored(
        fraud=np.asarray(label == "fraud", np.bool_),
        score=np.nan_to_num(numbers(batch, "score")),
        weight=weight,
        entity=np.zeros(batch.num_rows, np.int64),
        time=numbers(batch, "time us").astype(np.int64),
        amount=again.amounts(batch),
    )


def _strengths(batch: pa.RecordBatch, name: str) -> Strengths:
    return np.array([strength_of(str(action)) for action in batch.column(name).to_pylist()], np.int8)


def _queue(side: Side, day: NDArray[np.int64], actions: Strengths, share: NDArray[np.float64]) -> None:
    _count(side.reviews, day, share * (actions == REVIEW))
    _count(side.declines, day, share * (actions == DECLINE))


def _count(counts: dict[int, float], day: NDArray[np.int64], share: NDArray[np.float64]) -> None:
    days, places = np.unique(day, return_inverse=True)
    for each, number in zip(days.tolist(), np.bincount(places, share).tolist(), strict=True):
        counts[each] = counts.get(each, 0) + number
