"""How well the champions have done so far, and the shadows beside them, by labels that have matured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.duck import relations
from training.dataset.labels import matured_labels
from training.evaluation.ranking import average_precision
from training.keeper.queries import sql

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.duck import Connection
    from training.keeper.parts import Parts


_COLUMNS = "model, score, label, weight, decided_at, source_partition, source_offset"


def evaluate(parts: Parts) -> dict[str, Any]:
    """Average precision of the scores that were acted on, over all and per model version, first used first.

    Only matured events count, by the same labels and weights as in training; ``average_precision`` is None
    where no fraud is known. A shadow stands beside what acted on the very events that it scored: ``acting``.
    """
    with parts.store.cursor() as cursor:
        table = matured_labels(cursor, parts.pipeline, parts.clock.now(), columns=_COLUMNS)
        table = table.filter(table["score"].is_valid()).sort_by("decided_at")
        shadows = _shadows(cursor, table)
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
        "shadows": shadows,
    }


def _shadows(store: Connection, labelled: pa.Table) -> list[dict[str, Any]]:
    with relations(store, given=labelled):
        table = store.sql(sql("shadow_scores")).to_arrow_table()
    version = np.array(table["version"].to_pylist(), dtype=object)
    fraud, weight = table["label"].to_numpy() == "fraud", table["weight"].to_numpy()
    shadow, acted = table["shadow_score"].to_numpy(), table["score"].to_numpy()
    return [
        {
            "version": each,
            **_judge(fraud[of], shadow[of], weight[of]),
            "acting": _judge(fraud[of], acted[of], weight[of])["average_precision"],
        }
        for each in dict.fromkeys(version.tolist())
        for of in (version == each,)
    ]


def _judge(fraud: Any, score: Any, weight: Any) -> dict[str, Any]:
    frauds = int(fraud.sum())
    judged = average_precision(fraud, score, weight) if frauds else None
    return {"events": len(fraud), "frauds": frauds, "average_precision": judged}
