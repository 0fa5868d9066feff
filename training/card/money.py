"""What a single threshold on the score would have cost, by the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streams.policies.money import missed_costs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.decision import Costs
    from training.evaluation.scored import Scored

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MoneyByThreshold:
    """Money lost, by weight, where everything from ``threshold`` on is reviewed, or all of it declined."""

    threshold: Floats
    reviewing: Floats
    declining: Floats


def by_threshold(scored: Scored, costs: Costs) -> MoneyByThreshold:
    """Every distinct score as the threshold, ascending."""
    order = np.argsort(scored.score, kind="stable")
    score, fraud, weight = scored.score[order], scored.fraud[order], scored.weight[order]
    missed = np.cumsum(np.where(fraud, weight * missed_costs(scored.amount[order], costs), 0.0))
    first = np.flatnonzero(np.append(True, score[1:] != score[:-1]))
    below = np.append(0.0, missed)[first]
    stopped = np.cumsum(weight[::-1])[::-1][first]
    wrongly = np.cumsum((weight * ~fraud)[::-1])[::-1][first]
    return MoneyByThreshold(
        score[first], below + costs.review * stopped, below + costs.false_decline * wrongly
    )
