"""How well the champions have done so far, and the shadows beside them, by labels that have matured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from feature_store.duck import quoted, relations
from training.dataset.labels import matured_labels
from training.evaluation.measure import measure
from training.evaluation.paired import paired_bootstrap
from training.evaluation.ranking import average_precision
from training.evaluation.resampling import RESAMPLES
from training.evaluation.scored import Scored
from training.keeper.queries import sql

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection
    from training.keeper.parts import Parts

_RECENT = 200_000
"""The newest judged events are measured with intervals: an answer takes seconds, however long the history."""
_FEWEST_RESAMPLES = 100
_RESAMPLED_ROWS = 20_000_000
"""Rows times resamples at most, down to the fewest."""


def evaluate(parts: Parts) -> dict[str, Any]:
    """Every measure of the scores that were acted on, over all and per model version, first used first.

    Only matured events count, by the labels and weights that models are judged by; ``average_precision`` is
    None where no fraud is known. ``measured`` is of the newest ``_RECENT`` events. ``uncorrected`` counts the
    stopped ones among all that no control group stands for: measures lean towards what somebody chose to look
    at. A shadow stands beside what acted on those of the newest that it scored: ``acting``, and
    ``difference`` with its interval.
    """
    pipeline = parts.pipeline
    with parts.store.cursor() as cursor:
        table = matured_labels(cursor, pipeline, parts.clock.now(), columns=_columns(pipeline))
        table = table.filter(table["score"].is_valid()).sort_by("decided_at")
        shadows = _shadows(cursor, pipeline, table.slice(max(0, len(table) - _RECENT)))
    scored = _scored(table, "score")
    recent = np.arange(len(scored)) >= len(scored) - _RECENT
    model = np.array(table["model"].to_pylist(), dtype=object)
    return {
        "as_of": parts.clock.now(),
        **_judge(pipeline, scored, recent),
        "uncorrected": int(np.count_nonzero(table["uncorrected"].to_numpy())),
        "models": [
            {"version": version, **_judge(pipeline, scored.where(of), recent[of])}
            for version in dict.fromkeys(model.tolist())
            for of in (model == version,)
        ],
        "shadows": shadows,
    }


def _columns(pipeline: Pipeline) -> str:
    amount = pipeline.decision.costs.amount
    named = {
        "time": "epoch_us(event_time)",
        "amount": f"coalesce({quoted(amount)}::double, 'nan')" if amount else "'nan'::double",
        "entity": f"hash({quoted(pipeline.whole.event.key)}::varchar)",
        "fraud": "label = 'fraud'",
        "uncorrected": "coalesce(action <> 'approve', false)",
    }
    plain = ("model", "score", "weight", "decided_at", "source_partition", "source_offset")
    return ", ".join([*plain, *(f"{column} as {quoted(name)}" for name, column in named.items())])


def _shadows(store: Connection, pipeline: Pipeline, labelled: pa.Table) -> list[dict[str, Any]]:
    with relations(store, given=labelled):
        table = store.sql(sql("shadow_scores")).to_arrow_table()
    version = np.array(table["version"].to_pylist(), dtype=object)
    shadow, acted = _scored(table, "shadow_score"), _scored(table, "score")
    return [
        {"version": each, **_beside(pipeline, shadow.where(of), acted.where(of))}
        for each in dict.fromkeys(version.tolist())
        for of in (version == each,)
    ]


def _beside(pipeline: Pipeline, shadow: Scored, acted: Scored) -> dict[str, Any]:
    found = paired_bootstrap(
        shadow.fraud,
        shadow.score,
        acted.score,
        shadow.weight,
        shadow.entity,
        pipeline.training.seed,
        _resamples(shadow),
        confidence=pipeline.training.gate.confidence,
    )
    difference = {"value": found.difference, "low": found.low, "high": found.high}
    return {
        **_judge(pipeline, shadow, np.ones(len(shadow), bool)),
        "acting": _defined(found.theirs),
        "difference": {name: _defined(value) for name, value in difference.items()},
    }


def _judge(pipeline: Pipeline, scored: Scored, recent: NDArray[np.bool_]) -> dict[str, Any]:
    newest, decision = scored.where(recent), pipeline.decision
    found = measure(
        newest,
        decision.costs,
        decision.review_capacity,
        seed=pipeline.training.seed,
        resamples=_resamples(newest),
    )
    return {
        "events": len(scored),
        "frauds": int(scored.fraud.sum()),
        "average_precision": _defined(average_precision(scored.fraud, scored.score, scored.weight)),
        "measured": msgspec.to_builtins(found),
    }


def _scored(table: pa.Table, score: str) -> Scored:
    return Scored(
        fraud=_numbers(table, "fraud", np.bool_),
        score=_numbers(table, score, np.float64),
        weight=_numbers(table, "weight", np.float64),
        entity=np.unique(table["entity"].to_numpy(), return_inverse=True)[1],
        time=_numbers(table, "time", np.int64),
        amount=_numbers(table, "amount", np.float64),
    )


def _numbers(table: pa.Table, name: str, kind: type[np.generic]) -> NDArray[Any]:
    return np.asarray(table[name].to_numpy(), kind)


def _resamples(scored: Scored) -> int:
    return max(_FEWEST_RESAMPLES, min(RESAMPLES, _RESAMPLED_ROWS // max(1, len(scored))))


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value
