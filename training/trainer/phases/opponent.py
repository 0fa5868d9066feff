"""The champion as an opponent: what it is measured by, and how the acting model itself does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_store.errors import MisfitError
from training.fitting.challenger import refit_model
from training.gate.champion import Acting, ChampionSide, artifact_side, later_side, live_side
from training.gate.judgement import Judgement, judge

if TYPE_CHECKING:
    from streams.models.champion import Champion
    from training.dataset.events import LabelledEvents
    from training.trainer.phases.prepare import Prepared
    from training.trainer.task import Task


@dataclass(frozen=True)
class Opponent:
    """``side`` is what the challenger is compared with.

    ``model`` is None where its features are not declared any more: then only what it said at the time counts.
    """

    acting: Acting
    model: Champion | None
    side: ChampionSide

    def as_it_acts(self, judged: LabelledEvents, seed: int) -> Judgement:
        """How the acting model ranks the judged stretch, even where it was fitted on it."""
        if self.model is None or self.side.source in {"live", "artifact"}:
            return judge(judged.where(self.side.compared), self.side.margin, seed)
        return judge(judged, self.model.margins(judged.features), seed)


def meet(task: Task, prepared: Prepared, acting: Acting | None) -> tuple[Opponent | None, list[str]]:
    """The opponent, or why there is none although one was released. Raises ContractError for damage."""
    if acting is None:
        return None, []
    judged = prepared.split.judged
    live = live_side(acting, judged)
    try:
        model = acting.load(task.pipeline.feature_vector)
    except MisfitError as error:
        if live is not None:
            return Opponent(acting, None, live), []
        return None, [f"not compared with the champion, which no scorer can run any more: {error}"]
    side = live or artifact_side(acting, model, judged) or _refitted_side(task, prepared, acting, model)
    return Opponent(acting, model, side), []


def _refitted_side(task: Task, prepared: Prepared, acting: Acting, model: Champion) -> ChampionSide:
    """By its recipe on the very events that the challenger is fitted on; without a recipe, as it may be."""
    split = prepared.split
    if acting.manifest.recipe is None:
        return later_side(acting, model, split.judged)
    rows = prepared.past if task.spec.gate.refit else split.fit
    task.tell("refitting_champion", events=len(rows))
    _, again = refit_model(acting.manifest, rows, task.pipeline, task.fitting)
    everything = np.ones(len(split.judged), np.bool_)
    return ChampionSide(acting.version, "recipe", everything, again.margins(split.judged.features))
