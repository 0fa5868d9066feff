"""Judge: the challenger before the gate, every check of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.weighting import said_of, weighting
from training.gate import chance, comparison, cost, features, labels, scores
from training.gate.champion import WORDS
from training.gate.judgement import Judgement, judge
from training.trainer.phases.verdict import Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.models.champion import Champion
    from training.contract import Check
    from training.dataset.split import Split
    from training.trainer.phases.fit import Fitted
    from training.trainer.phases.opponent import Opponent
    from training.trainer.task import Task

Numbers = dict[str, float]


def judge_challenger(
    task: Task, split: Split, fitted: Fitted, opponent: Opponent | None, notes: list[str]
) -> Verdict:
    """Ask everything that the gate asks: of the data, of the ranking, of the scores, of the cost."""
    challenger = fitted.challenger
    found = judge(split.judged, fitted.margin, task.spec.seed)
    words = (
        f"average precision {found.average_precision:.3f} on {found.rows:,} judged events with "
        f"{found.frauds:,} frauds"
    )
    checks = _data(task, split, found, opponent)
    checks += chance.better_than_chance(challenger.on_validation, "the validation slice")
    checks += chance.better_than_chance(found, "the judged stretch")
    champion_metrics: Numbers = {}
    if opponent is not None:
        compared, champion_metrics = _comparison(task, split, fitted.margin, opponent)
        checks += compared
        theirs = champion_metrics.get("average_precision", float("nan"))
        words += f"; the champion {opponent.acting.version} has {theirs:.3f} {WORDS[opponent.side.source]}"
    own, numbers = _scores_and_cost(task, split, fitted, opponent)
    metrics = {
        **found.as_metrics(),
        **challenger.on_validation.as_metrics("validation_"),
        **weighting(split),
        **challenger.metrics,
        **numbers,
        "rounds": float(challenger.rounds),
    }
    return Verdict(
        [*checks, *own],
        metrics,
        champion_metrics,
        words,
        task.request.trust_data,
        [*notes, *challenger.notes, *said_of(split.judged)],
    )


def _data(task: Task, split: Split, found: Judgement, opponent: Opponent | None) -> list[Check]:
    gate = task.spec.gate
    checks = features.features_there(split, [feature.name for feature in task.pipeline.feature_vector])
    checks += labels.plausible_share(found, gate.labels)
    if opponent is not None:
        acting = opponent.as_it_acts(split.judged, task.spec.seed)
        checks += labels.as_the_champion_knew(found, acting, opponent.acting.manifest, gate.labels)
    return checks


def _comparison(
    task: Task, split: Split, margin: NDArray[np.float64], opponent: Opponent
) -> tuple[list[Check], Numbers]:
    side = opponent.side
    checks, numbers = comparison.compare(split.judged, margin, side, task.spec)
    numbers["live"] = float(side.source == "live")
    compared = split.judged.where(side.compared)
    if len(compared):
        numbers |= judge(compared, side.margin, task.spec.seed).as_metrics()
    return checks, numbers


def _scores_and_cost(
    task: Task, split: Split, fitted: Fitted, opponent: Opponent | None
) -> tuple[list[Check], Numbers]:
    gate, judged = task.spec.gate, fitted.score
    checks, ratio = scores.calibrated(split.judged, judged, gate)
    numbers = {
        "predicted_frauds": float(np.sum(judged * split.judged.weight)),
        "calibration_ratio": ratio,
        "score_shift": _shift_in_time(fitted.validated.model, split),
        **cost.cost_of(fitted.challenger.model, fitted.challenger.artifact, split.judged.features),
    }
    checks += scores.steady(
        numbers["score_shift"],
        gate.score_shift,
        "against the validated ones",
        "training.gate.score_shift",
    )
    checks += cost.affordable(numbers, gate.cost)
    if opponent is not None and opponent.model is not None and len(opponent.side.margin):
        theirs = opponent.model.scores(opponent.side.margin)
        numbers["champion_shift"] = scores.shift(theirs, judged[opponent.side.compared])
        checks += scores.steady(
            numbers["champion_shift"],
            gate.champion_shift,
            "against the champion's",
            "training.gate.champion_shift",
        )
    return checks, numbers


def _shift_in_time(unseen: Champion, split: Split) -> float:
    """By one model that was fitted on neither stretch: two models' scores differ where it does not matter."""
    validated, judged = (
        unseen.scores(unseen.margins(part.features)) for part in (split.validation, split.judged)
    )
    return scores.shift(validated, judged)
