"""The folds of a backtest: what was fitted on, when that was, and what the fit was tested on.

::

    ├── trained ──────────┤  gap  ├── tested ──┤
    trained_from          ^       ^            ^tested_until
                trained_until     tested_from = the moment of training

Every fold stands one tested stretch later than the one before it. Stretches hold their first instant and not
their last, so that whole days are whole days. The gap is at least the maturity: what is younger has no label
at the moment of training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline


@dataclass(frozen=True)
class Fold:
    """One training and its test; instants in microseconds since 1970 UTC."""

    number: int
    trained_from: int
    trained_until: int
    tested_from: int
    tested_until: int

    @property
    def moment(self) -> int:
        """When the model is fitted: nothing that became known later may be used."""
        return self.tested_from


def folds_of(pipeline: Pipeline, first_test: int, count: int) -> list[Fold]:
    """``count`` folds by ``training.history``, ``training.gap`` and ``training.judged``, oldest first."""
    spec = pipeline.training
    gap = max(spec.gap, pipeline.outcomes.maturity)
    folds = []
    for number in range(count):
        moment = first_test + number * spec.judged
        trained_until = moment - gap
        folds.append(
            Fold(
                number=number + 1,
                trained_from=trained_until - spec.history,
                trained_until=trained_until,
                tested_from=moment,
                tested_until=moment + spec.judged,
            )
        )
    return folds
