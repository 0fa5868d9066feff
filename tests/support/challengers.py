"""Challengers fitted on simulated payments, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.labelled import labelled
from tests.support.training_snapshots import AS_OF, DAY, START, declare
from training.contract import TrainingRequest
from training.dataset.split import Split, split_in_time
from training.fitting.challenger import Challenger, fit_challenger

if TYPE_CHECKING:
    from training.dataset.events import LabelledEvents

REQUEST = TrainingRequest("r", "payments", AS_OF, "v1", "test")
ALGORITHMS = pytest.mark.parametrize("algorithm", ["lightgbm", "xgboost"])


def events(rows: int = 4_000, seed: int = 1) -> LabelledEvents:
    random = np.random.default_rng(seed)
    amount = random.gamma(2.0, 30.0, rows).round(2)
    fraud = random.random(rows) < np.where(amount > 140, 0.8, 0.01)
    features = np.column_stack((amount, 2 * amount, random.random(rows)))
    return labelled(fraud, features, np.sort(random.integers(START, AS_OF - 3 * DAY, rows)))


def split_of(rows: LabelledEvents, **training: object) -> Split:
    return split_in_time(rows, declare(**training).training, AS_OF - 3 * DAY)


def fitted(rows: LabelledEvents, **training: object) -> Challenger:
    return fit_challenger(split_of(rows, **training), REQUEST, declare(**training), quiet)


def quiet(_rounds: int, _loss: float) -> None:
    """Nobody hears of progress."""
