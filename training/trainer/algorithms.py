"""How the model families are fitted, behind one shape."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.trainer.events import LabelledEvents

Family = Literal["lightgbm", "xgboost"]
Parameters = dict[str, float | int | str | bool]

THREADS = 2
MOST_ROUNDS = 2_000
PATIENCE = 50
"""Rounds without a better average precision on the validation slice before a fit stops."""

REPORT_EVERY = 50
"""Rounds between two progress lines."""


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
        """Fit with early stopping. ``report`` hears the round and its average precision.

        Raises ConfigError when the library refuses ``parameters``.
        """
        ...


def algorithm(family: Family) -> Algorithm:
    """The implementation of ``family``."""
    return cast("Algorithm", import_module(f"training.trainer.{family}_trees"))
