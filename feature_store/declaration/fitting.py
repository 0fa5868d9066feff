"""Fitting: what is sampled, searched for, calibrated and made smaller for serving."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration

Monotone = Literal["increasing", "decreasing"]
CalibrationChoice = Literal["auto", "platt", "beta", "isotonic"]


class SamplingSpec(Declared):
    """How a rare class and a long history are brought to size."""

    legitimate: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="share of the legitimate events that is fitted on; the score is corrected",
    )
    balance: bool = Field(
        default=False, description="give both classes the same weight in the fit; the score is corrected"
    )
    rows_in_memory: int = Field(
        default=5_000_000, gt=0, description="a longer training set stays on disk while it is fitted on"
    )


class TuningSpec(Declared):
    """The search for parameters, within a budget of time."""

    budget: Duration = Field(
        default=0, ge=0, description="how long to begin another fit at most; 0s: no search"
    )
    trials: int = Field(
        default=100, gt=0, description="fits to try at most in a run; the next run goes on from them"
    )


class CompactionSpec(Declared):
    """Smaller trees for serving."""

    tolerance: float = Field(
        default=0.0,
        ge=0,
        description="how far merging and rounding leaves may move a margin, in log-odds; 0: not at all",
    )
    drop_trees: bool = Field(
        default=False,
        description="leave out trees without which the log loss on the validation slice is no higher",
    )
