"""What is said of the weights."""

from __future__ import annotations

import numpy as np

from tests.support.labelled import labelled
from training.dataset.coded import Coded
from training.evaluation.weighting import said_of, uncorrected


def test_stopped_events_that_no_control_group_stands_for_are_counted_and_said() -> None:
    actions = Coded.of(["approve", "decline", "review", "decline", None])
    propensity = np.array([1.0, 0.0, 0.0, 0.1, np.nan])
    judged = labelled(np.ones(5, bool), np.ones((5, 1)), policy_action=actions, propensity=propensity)
    assert uncorrected(judged) == 2
    assert "2 of the 5 judged events" in said_of(judged)[0]
    assert said_of(judged.where(slice(0, 1))) == []
