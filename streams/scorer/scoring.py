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

    ``shadows``: version -> score of those that did not act, of every event. ``failures``: version -> what a
    model raised. ``by_canary``: the events that the canary acts for; None: no canary runs.
    """

    margins: Vector
    scores: Vector
    fallbacks: list[str | None]
    shadows: list[dict[str, float]]
    failures: dict[str, str]
    by_canary: Mask | None = None

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
        """All models on the same rows; one that raises fails alone, and is reported.

        While a canary runs, champion and canary both score every event: who does not act stands among the
        shadows. An event that the canary gives no score is the champion's.
        """
        failures: dict[str, str] = {}
        why = self._not_to_score(accepted, matrix, now)
        rows = why == 0
        margins, scores = _champion(acting, matrix, rows, why, failures)
        found = [(shadow.version, _scores(shadow, matrix, rows, failures)) for shadow in acting.shadows]
        beside = {version: its[1] for version, its in found if its is not None}
        by_canary = None
        if acting.champion is not None and acting.canary is not None:
            its = _scores(acting.canary.model, matrix, rows, failures)
            by_canary = np.zeros(len(matrix), np.bool_)
            if its is not None:
                by_canary = acting.canary.drawn(accepted.events) & ~np.isnan(its[1])
                beside[acting.champion.version] = np.where(by_canary, scores, np.nan)
                beside[acting.canary.version] = np.where(by_canary, np.nan, its[1])
                margins, scores = np.where(by_canary, its, (margins, scores))
                why[by_canary] = 0
        fallbacks: list[str | None] = [None] * len(why)
        if why.any():
            fallbacks = [_WHY[code] for code in why.tolist()]
        return Scored(margins, scores, fallbacks, _by_event(beside, len(matrix)), failures, by_canary)

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
