"""How the model families are fitted, behind one shape.

A fit stops on log loss, not on average precision, which jumps about on the few frauds of a validation slice
and so picks rounds by luck. Average precision on later days of the handbook's data, LightGBM, mean of twelve
fits: .694 against .672 with 8,000 events, .708 against .698 with 12,000; one fit to a whole week: .727
against .733. And the gate's own measure takes no part in choosing what it judges.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.fitting import Monotone
    from training.dataset.events import LabelledEvents

Family = Literal["lightgbm", "xgboost"]
Parameters = dict[str, bool | int | float | str]

MOST_ROUNDS = 2_000
PATIENCE = 50
"""Rounds without a better log loss on the validation slice before a fit stops."""

REPORT_EVERY = 50
"""Rounds between two progress lines."""


_ROWS_PER_THREAD = 50_000
"""With fewer, threads wait for each other more than they work."""


def threads(rows: int) -> int:
    """How many threads pay, of those that this process may have."""
    return max(1, min(_cores(), rows // _ROWS_PER_THREAD))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Plan:
    """What to fit. ``parameters`` go to the library over the family's defaults.

    With ``rounds`` exactly so many are fitted, and nothing stops early. ``start`` is an artifact of the same
    features to begin with; its rounds count among ``rounds``.
    """

    names: list[str]
    parameters: Parameters
    seed: int
    rounds: int | None = None
    start: bytes | None = None
    monotone: dict[str, Monotone] = field(default_factory=dict)
    categorical: tuple[str, ...] = ()
    device: Literal["cpu", "cuda"] = "cpu"

    @property
    def directions(self) -> list[int]:
        """1, 0 or -1 for every feature, as both libraries take it."""
        sign = {"increasing": 1, "decreasing": -1}
        return [sign[self.monotone[name]] if name in self.monotone else 0 for name in self.names]


class Fitted(msgspec.Struct, frozen=True):
    """An artifact, cut at its best round; ``parameters`` are what the library was given.

    ``metrics`` tell what was special about the fit.
    """

    artifact: bytes
    rounds: int
    parameters: Parameters
    metrics: dict[str, float] = {}


class Algorithm(Protocol):
    """One model family."""

    def fit(
        self,
        fit: LabelledEvents,
        validation: LabelledEvents | None,
        plan: Plan,
        report: Callable[[int, float], None],
    ) -> Fitted:
        """Fit, with early stopping on ``validation`` unless the plan says how many rounds.

        ``report`` hears the round and its log loss on the validation slice, NaN without one. Raises
        ConfigError when the library refuses the parameters.
        """
        ...


def algorithm(family: Family) -> Algorithm:
    """The implementation of ``family``."""
    return cast("Algorithm", import_module(f"training.fitting.{family}_trees"))
