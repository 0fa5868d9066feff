"""What a card is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.scored import Scored, scored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest
    from streams.models.champion import Champion
    from training.compaction.figures import CompactionReport
    from training.contract import TrainingRequest, TrainingResult
    from training.dataset.split import Split

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """The champion's side of the comparison.

    ``compared`` marks the judged events that it may be compared on, ``score`` has one for each of them;
    ``source`` says in words where the scores come from.
    """

    version: str
    source: str
    compared: NDArray[np.bool_]
    score: Floats


@dataclass(frozen=True)
class Material:
    """One run as its card tells it.

    ``model`` and ``artifact`` are what was judged, ``score`` its scores of the judged events; ``released`` is
    the manifest of what acts if the gate passed: a refit, mostly.
    """

    pipeline: Pipeline
    request: TrainingRequest
    result: TrainingResult
    split: Split
    model: Champion
    artifact: bytes
    score: Floats
    champion: Side | None = None
    released: Manifest | None = None
    compaction: CompactionReport | None = None

    @property
    def manifest(self) -> Manifest:
        """Of what is released, else of what was judged."""
        return self.released or self.model.manifest

    @property
    def comparable(self) -> Side | None:
        """The champion's side where it has frauds to be compared on."""
        side = self.champion
        if side is None or not self.split.judged.fraud[side.compared].any():
            return None
        return side

    @property
    def shown(self) -> NDArray[np.bool_]:
        """The judged events that figures and curves are of: those that both sides can be measured on."""
        side = self.comparable
        return np.ones(len(self.split.judged), np.bool_) if side is None else side.compared

    @cached_property
    def ours(self) -> Scored:
        """The challenger on the events shown."""
        return scored(self.split.judged, self.score).where(self.shown)

    @property
    def theirs(self) -> Scored | None:
        """The champion on the events shown."""
        side = self.comparable
        return None if side is None else replace(self.ours, score=side.score)
