"""Prepare: the matured events with the labels known at ``as_of``, split in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_store.units import to_text
from training.contract import TrainingResult
from training.dataset.events import read_labelled
from training.dataset.labels import matured_until
from training.dataset.split import oldest_needed, split_in_time

if TYPE_CHECKING:
    from training.dataset.events import LabelledEvents
    from training.dataset.split import Split
    from training.trainer.task import Task


@dataclass(frozen=True)
class Prepared:
    """``events`` are all matured and labelled ones, ``split`` what is made of them."""

    events: LabelledEvents
    split: Split
    oldest: int
    """The event time (us) that the history begins after."""

    @property
    def past(self) -> LabelledEvents:
        """What may be fitted on before the judged stretch."""
        return self.events.between(self.oldest, self.split.fitted_until)

    @property
    def matured(self) -> LabelledEvents:
        """What a release is fitted on."""
        return self.events.between(self.oldest, self.split.judged_until)

    def draft(self, task: Task) -> TrainingResult:
        """The result as far as it is known before a fit: refused, for no reason yet."""
        split = self.split
        return TrainingResult(
            run_id=task.request.run_id,
            verdict="refused",
            reasons=[],
            as_of=task.request.as_of,
            fitted_from=to_text(split.fitted_from),
            fitted_until=to_text(split.fitted_until),
            judged_from=to_text(split.judged_from),
            judged_until=to_text(split.judged_until),
            rows=len(split.fit) + len(split.validation),
            frauds=split.fit.frauds + split.validation.frauds,
        )


def prepare(task: Task) -> Prepared:
    """Read and split. Raises ContractError for a snapshot that is not usable."""
    events = read_labelled(task.folder / task.request.snapshot, task.pipeline, task.request.as_of)
    task.tell("labelled", events=len(events), frauds=events.frauds)
    until = matured_until(task.pipeline, task.request.as_of)
    return Prepared(events, split_in_time(events, task.spec, until), oldest_needed(task.spec, until))
