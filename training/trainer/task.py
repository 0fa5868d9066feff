"""What a training run is about, handed from phase to phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.declaration.training import TrainingSpec
    from training.contract import TrainingRequest


class Tell(Protocol):
    """Who hears of progress."""

    def __call__(self, step: str, **numbers: float) -> None:
        """``step`` has been reached."""
        ...


@dataclass(frozen=True)
class Task:
    """One run: its folder, what is asked in it, and the pipeline that it is for."""

    folder: Path
    request: TrainingRequest
    pipeline: Pipeline
    tell: Tell

    @property
    def spec(self) -> TrainingSpec:
        """How the pipeline trains."""
        return self.pipeline.training

    def fitting(self, at: int, loss: float) -> None:
        """Tell how far a fit is."""
        self.tell("fitting", round=at, log_loss=loss)
