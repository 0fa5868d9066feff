"""Draw: the model card of what was judged, for people; a run that cannot draw goes on without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from training.gate.champion import WORDS

if TYPE_CHECKING:
    from training.card.material import Side
    from training.contract import TrainingResult
    from training.trainer.phases.fit import Fitted
    from training.trainer.phases.opponent import Opponent
    from training.trainer.phases.prepare import Prepared
    from training.trainer.task import Task


def draw(
    task: Task, prepared: Prepared, fitted: Fitted, opponent: Opponent | None, result: TrainingResult
) -> None:
    """Leave ``card.html`` in the run folder, or say in the log why there is none."""
    task.tell("drawing")
    try:
        _draw(task, prepared, fitted, opponent, result)
    except Exception as error:  # noqa: BLE001  (a drawing is not worth a night)
        structlog.get_logger().warning("no_model_card", run=result.run_id, why=repr(error))


def _draw(
    task: Task, prepared: Prepared, fitted: Fitted, opponent: Opponent | None, result: TrainingResult
) -> None:
    from training.card.card import leave_card  # noqa: PLC0415  (loads Matplotlib)
    from training.card.material import Material  # noqa: PLC0415

    challenger = fitted.challenger
    material = Material(
        pipeline=task.pipeline,
        request=task.request,
        result=result,
        split=prepared.split,
        model=challenger.model,
        artifact=challenger.artifact,
        score=fitted.score,
        champion=_side(opponent),
        released=result.manifest,
        compaction=challenger.compaction,
    )
    leave_card(task.folder, material)


def _side(opponent: Opponent | None) -> Side | None:
    from training.card.material import Side  # noqa: PLC0415

    if opponent is None or opponent.model is None:
        return None  # without the model a margin is no score
    side = opponent.side
    return Side(
        side.version, f"is measured {WORDS[side.source]}", side.compared, opponent.model.scores(side.margin)
    )
