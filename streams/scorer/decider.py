"""What is done with each event: its score or a fallback, the policy, the control group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.columns import minor_units
from feature_store.declaration.event import Kind
from feature_store.log import seen_schema
from streams.policies.control import ControlDraw
from streams.policies.rules import RuleSet
from streams.scorer.evidence import Evidence

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.models.engine import Vector
    from streams.models.watcher import Acting
    from streams.policies import ActivePolicy
    from streams.policies.actions import Mask, Strengths
    from streams.scorer.intake import Accepted

COLD_START = "cold_start"
NO_SCORE = "no_score"
"""The champion gave no finite number for this event: the cold-start rules decided."""


class Decider:
    """Scores a matrix and decides every row of it."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Compile the cold-start rules. Raises ConfigError naming the key of an unsound one."""
        self._pipeline = pipeline
        cold = pipeline.decision.cold_start
        self._cold = RuleSet(seen_schema(pipeline), cold, "decision.cold_start") if cold else None
        self._control = ControlDraw(pipeline.outcomes.control_group)

    def decide(
        self,
        acting: Acting,
        policy: ActivePolicy,
        accepted: Accepted,
        seen: pa.RecordBatch,
        matrix: Matrix,
        now: int,
    ) -> Evidence:
        """What was found about every accepted event, under exactly one release and one policy.

        ``seen`` is what rules may speak of: the fields of every event, and its features, as in ``matrix``.
        """
        margins, scores = _score(acting, matrix)
        scored = np.isfinite(scores)
        wanted = policy.by_score(scores, margins, self._amounts(seen), self._pipeline.decision.costs)
        wanted, cold = self._with_cold_start(wanted, scored, seen, scores, margins)
        ruled = policy.rule(seen, scores, margins, wanted, cold, now)
        actions, propensities = self._control.let_through(accepted.ids, ruled.actions, ruled.final)
        champion, had_score = acting.champion, scored.tolist()
        return Evidence(
            policy_actions=ruled.actions,
            actions=actions,
            propensities=propensities,
            rules=ruled.rules,
            scores=scores,
            margins=margins,
            models=[champion.version if champion and known else None for known in had_score],
            engines=[champion.engine.name if champion and known else None for known in had_score],
            fallbacks=[None if known else (NO_SCORE if champion else COLD_START) for known in had_score],
            reasons=[[] for _ in had_score],
            shadows=[{} for _ in had_score],
            decided_at=now,
            policy_offset=policy.offset,
            queues=ruled.queues,
        )

    def _with_cold_start(
        self, wanted: Strengths, scored: Mask, seen: pa.RecordBatch, scores: Vector, margins: Vector
    ) -> tuple[Strengths, dict[str, Mask]]:
        """What is asked for, where no score asks: by the cold-start rules, and which of them matched."""
        if scored.all():
            return wanted, {}
        wanted = np.where(scored, wanted, np.int8(0))
        if self._cold is None:
            return wanted, {}
        flags = self._cold.flags(seen, scores, margins)
        flags[scored] = False
        return np.maximum(wanted, self._cold.strongest(flags)), self._cold.matched(flags)

    def _amounts(self, seen: pa.RecordBatch) -> Vector:
        """The amount at stake in each event, in its currency unit; NaN where it is absent."""
        name = self._pipeline.decision.costs.amount
        if name is None:
            return np.zeros(seen.num_rows)
        kind, column = self._pipeline.event.fields[name].type, seen.column(name)
        if kind.kind is not Kind.DECIMAL:
            return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
        amounts = minor_units(column) / 10**kind.scale
        if column.null_count:
            amounts[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
        return np.asarray(amounts)


def _score(acting: Acting, matrix: Matrix) -> tuple[Vector, Vector]:
    """Margins and scores; both NaN where there is no champion, or where it gives no finite number."""
    if acting.champion is None or len(matrix) == 0:
        nothing = np.full(len(matrix), np.nan)
        return nothing, nothing
    margins = acting.champion.margins(matrix)
    scores = acting.champion.scores(margins)
    sound = np.isfinite(margins) & np.isfinite(scores)
    return np.where(sound, margins, np.nan), np.where(sound, scores, np.nan)
