"""How the model families are fitted, behind one shape.

A fit stops on log loss, not on average precision, which jumps about on the few frauds of a validation slice
and so picks rounds by luck. Average precision on later days of the handbook's data, LightGBM, mean of twelve
fits: .694 against .672 with 8,000 events, .708 against .698 with 12,000; one fit to a whole week: .727
against .733. And the gate's own measure takes no part in choosing what it judges.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.dataset.events import LabelledEvents

Family = Literal["lightgbm", "xgboost"]
Parameters = dict[str, float | int | str | bool]

MOST_ROUNDS = 2_000
PATIENCE = 50
"""Rounds without a better log loss on the validation slice before a fit stops."""

REPORT_EVERY = 50
"""Rounds between two progress lines."""


_ROWS_FOR_TWO_THREADS = 20_000


def threads(rows: int) -> int:
    """How many threads pay: below this many rows they wait for each other more than they work."""
    return 2 if rows >= _ROWS_FOR_TWO_THREADS else 1


class Fitted(msgspec.Struct, frozen=True):
    """An artifact, cut at its best round."""

    artifact: bytes
    rounds: int


class Algorithm(Protocol):
    """One model family."""

    def fit(
        self,
        fit: LabelledEvents,
        validation: LabelledEvents,
        names: list[str],
        parameters: Parameters,
        seed: int,
        report: Callable[[int, float], None],
    ) -> Fitted:
        """Fit with early stopping. ``report`` hears the round and its log loss.

        Raises ConfigError when the library refuses ``parameters``.
        """
        ...


def algorithm(family: Family) -> Algorithm:
    """The implementation of ``family``."""
    return cast("Algorithm", import_module(f"training.fitting.{family}_trees"))
