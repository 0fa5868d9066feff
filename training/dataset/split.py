"""The split in time: fitted on the past, stopped and calibrated on what follows, judged on the newest.

::

    ├── fit ──────────────┼── validation ──┤  gap  ├── judged ──┤  not yet mature  │
    history                                ^fitted_until  ^judged_from  ^judged_until  ^as_of

Every stretch is open to the left and closed to the right, like the windows: ``(from, until]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from feature_store.declaration.training import TrainingSpec
    from training.dataset.events import LabelledEvents

VALIDATION_SHARE = 0.2
"""Of the events before the gap, and at least of their frauds: early stopping and calibration need both."""


@dataclass(frozen=True)
class Split:
    """Three stretches that share no instant, and their bounds in microseconds; each with its own weights."""

    fit: LabelledEvents
    validation: LabelledEvents
    judged: LabelledEvents
    fitted_from: int
    fitted_until: int
    judged_from: int
    judged_until: int


def oldest_needed(spec: TrainingSpec, matured_until: int) -> int:
    """The event time (us) that the fitted stretch begins after: a snapshot holds all that is newer."""
    return matured_until - spec.judged - spec.gap - spec.history


def split_in_time(events: LabelledEvents, spec: TrainingSpec, matured_until: int) -> Split:
    """Split matured events; ``matured_until`` (us) ends the judged stretch."""
    judged_from = matured_until - spec.judged
    fitted_until = judged_from - spec.gap
    fitted_from = oldest_needed(spec, matured_until)
    past = events.between(fitted_from, fitted_until)
    validated_from = _validated_from(past)
    return Split(
        fit=past.between(fitted_from, validated_from).to_fit(),
        validation=past.between(validated_from, fitted_until).to_fit(),
        judged=events.between(judged_from, matured_until).to_judge(),
        fitted_from=max(fitted_from, int(past.time[0])) if len(past) else fitted_from,
        fitted_until=fitted_until,
        judged_from=judged_from,
        judged_until=matured_until,
    )


def split_by_share(events: LabelledEvents) -> tuple[LabelledEvents, LabelledEvents]:
    """The older events and the newest share of them, cut as the fitted stretch is from its validation."""
    if len(events) == 0:
        return events, events
    cut = _validated_from(events)
    newest = int(events.time[-1])
    return events.between(int(events.time[0]) - 1, cut), events.between(cut, newest)


def _validated_from(past: LabelledEvents) -> int:
    """The instant after which the newest share of the events *and* of the frauds lies."""
    starts = [_share_starts(past.time), _share_starts(past.time[past.fraud])]
    return min((start for start in starts if start is not None), default=0)


def _share_starts(time: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int | None:
    if len(time) == 0:
        return None
    last_fitted = int(np.ceil(len(time) * (1 - VALIDATION_SHARE))) - 1
    return int(time[last_fitted])
