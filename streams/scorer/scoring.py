"""The scores of a batch under one release, and why an event has none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.models.champion import Champion
    from streams.models.engine import Vector
    from streams.models.watcher import Acting
    from streams.policies.actions import Mask
    from streams.scorer.intake import Accepted

COLD_START = "cold_start"
"""There is no champion yet."""
DEADLINE = "deadline"
"""The event had waited longer than ``decision.deadline``; nobody scored it."""
MISSING_FEATURE = "missing_feature"
"""One of ``decision.required_features`` is null."""
MODEL_FAILED = "model_failed"
"""The champion raised an error on this batch."""
NO_SCORE = "no_score"
"""The champion gave no finite number for this event."""

_WHY = (None, COLD_START, DEADLINE, MISSING_FEATURE, MODEL_FAILED, NO_SCORE)
_LONGEST = 500  # characters of a library's complaint


@dataclass(frozen=True)
class Scored:
    """Margins and scores are NaN exactly where ``fallbacks`` says why there is none.

    ``shadows``: version -> score, of every event. ``failures``: version -> what a model raised.
    """

    margins: Vector
    scores: Vector
    fallbacks: list[str | None]
    shadows: list[dict[str, float]]
    failures: dict[str, str]

    @property
    def sound(self) -> Mask:
        """The events that have a score."""
        return ~np.isnan(self.scores)


class Scoring:
    """Scores what may be scored: in time, with every required feature."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._deadline = pipeline.decision.deadline
        names = [feature.name for feature in pipeline.feature_vector]
        self._required = [names.index(name) for name in pipeline.decision.required_features]

    def score(self, acting: Acting, accepted: Accepted, matrix: Matrix, now: int) -> Scored:
        """Champion and shadows on the same rows; a model that raises fails alone, and is reported."""
        failures: dict[str, str] = {}
        why = self._not_to_score(accepted, matrix, now)
        rows = why == 0
        margins, scores = _champion(acting, matrix, rows, why, failures)
        beside = {shadow.version: _scores(shadow, matrix, rows, failures) for shadow in acting.shadows}
        fallbacks: list[str | None] = [None] * len(why)
        if why.any():
            fallbacks = [_WHY[code] for code in why.tolist()]
        shadows = _by_event({version: found[1] for version, found in beside.items() if found}, len(matrix))
        return Scored(margins, scores, fallbacks, shadows, failures)

    def _not_to_score(self, accepted: Accepted, matrix: Matrix, now: int) -> Codes:
        why = np.zeros(len(matrix), np.int8)
        if self._required:
            why[np.isnan(matrix[:, self._required]).any(axis=1)] = _WHY.index(MISSING_FEATURE)
        if self._deadline is not None and accepted.records:  # nobody waits for what is decided again
            arrived = np.array([record.arrived_at for record in accepted.records], np.int64)
            why[now - arrived > self._deadline] = _WHY.index(DEADLINE)
        return why


Codes = np.ndarray[tuple[int], np.dtype[np.int8]]
"""Positions in ``_WHY``."""


def _champion(
    acting: Acting, matrix: Matrix, rows: Mask, why: Codes, failures: dict[str, str]
) -> tuple[Vector, Vector]:
    """The champion's margins and scores; ``why`` learns why there are none."""
    nothing = np.full(len(matrix), np.nan)
    if acting.champion is None:
        why[:] = _WHY.index(COLD_START)
        return nothing, nothing
    found = _scores(acting.champion, matrix, rows, failures)
    if found is None:
        why[rows] = _WHY.index(MODEL_FAILED)
        return nothing, nothing
    why[rows & np.isnan(found[1])] = _WHY.index(NO_SCORE)
    return found


def _scores(
    model: Champion, matrix: Matrix, rows: Mask, failures: dict[str, str]
) -> tuple[Vector, Vector] | None:
    """Margins and scores of ``rows``, NaN elsewhere and where one is not finite; None where it fails."""
    if not rows.any():
        nothing = np.full(len(matrix), np.nan)
        return nothing, nothing
    whole = rows.all()
    try:
        margins = model.margins(matrix if whole else matrix[rows])
        scores = model.scores(margins)
    except Exception as error:  # noqa: BLE001  (a library may raise anything; the stream must go on)
        failures[model.version] = repr(error)[:_LONGEST]
        return None
    sound = np.isfinite(margins) & np.isfinite(scores)
    margins, scores = np.where(sound, margins, np.nan), np.where(sound, scores, np.nan)
    return (margins, scores) if whole else (_spread(margins, rows), _spread(scores, rows))


def _by_event(scores: dict[str, Vector], rows: int) -> list[dict[str, float]]:
    """Version -> score of every event, without those that have none; without shadows all share one."""
    if not scores:
        return [{}] * rows
    columns = zip(*(column.tolist() for column in scores.values()), strict=True)
    return [
        {version: score for version, score in zip(scores, values, strict=True) if not math.isnan(score)}
        for values in columns
    ]


def _spread(values: Vector, rows: Mask) -> Vector:
    spread = np.full(len(rows), np.nan)
    spread[rows] = values
    return spread
