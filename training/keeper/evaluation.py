"""How well the champions have done so far, by labels that have matured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.trainer.metrics import average_precision, matured_labels

if TYPE_CHECKING:
    from training.keeper.parts import Parts


def evaluate(parts: Parts) -> dict[str, Any]:
    """Average precision of the scores that were acted on, over all and per model version, first used first.

    Only matured events count, by the same labels and weights as in training; ``average_precision`` is None
    where no fraud is known.
    """
    with parts.store.cursor() as cursor:
        table = matured_labels(
            cursor, parts.pipeline, parts.clock.now(), columns="model, score, label, weight, decided_at"
        )
    table = table.filter(table["score"].is_valid()).sort_by("decided_at")
    fraud = table["label"].to_numpy() == "fraud"
    score, weight = table["score"].to_numpy(), table["weight"].to_numpy()
    model = np.array(table["model"].to_pylist(), dtype=object)
    versions = list(dict.fromkeys(model.tolist()))
    return {
        "as_of": parts.clock.now(),
        **_judge(fraud, score, weight),
        "models": [
            {"version": version, **_judge(fraud[of], score[of], weight[of])}
            for version in versions
            for of in (model == version,)
        ],
    }


def _judge(fraud: Any, score: Any, weight: Any) -> dict[str, Any]:
    frauds = int(fraud.sum())
    judged = average_precision(fraud, score, weight) if frauds else None
    return {"events": len(fraud), "frauds": frauds, "average_precision": judged}
