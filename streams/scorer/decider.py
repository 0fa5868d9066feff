"""What is done with each event: expected cost, rules, control group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.declaration.decision import Action
from feature_store.declaration.event import Kind
from feature_store.expressions import Expression, Matrix, RowQuery
from feature_store.log import seen_schema
from streams.policy import Verdict, cheapest_actions, ruled_actions, verdict
from streams.scorer.evidence import Evidence

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.columns import Columns
    from feature_store.declaration.decision import Rule
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Flags
    from streams.models.engine import Vector
    from streams.models.watcher import Acting
    from streams.scorer.intake import Accepted

COLD_START = "cold_start"
NO_SCORE = "no_score"
"""The champion gave no finite number for this event: the cold-start rules decided."""

_APPROVED = Verdict(Action.APPROVE, Action.APPROVE, 1.0)


class Decider:
    """Scores a matrix and decides every row of it."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Compile the rules. Raises ConfigError naming the key of an unsound one."""
        self._pipeline = pipeline
        seen = seen_schema(pipeline)
        self._rules = pipeline.decision.rules
        self._cold_rules = (*pipeline.decision.rules, *pipeline.decision.cold_start)
        self._rule_query = _rule_query(seen, self._rules)
        self._cold_query = _rule_query(seen, self._cold_rules)

    def decide(
        self,
        acting: Acting,
        accepted: Accepted,
        columns: Columns,
        seen: pa.RecordBatch,
        matrix: Matrix,
        decided_at: int,
    ) -> Evidence:
        """What was found about every accepted event, under exactly one release.

        ``seen`` is what rules may speak of: the fields of every event, and its features, as in ``matrix``.
        """
        margins, scores = _score(acting, matrix)
        scored = np.isfinite(scores)
        rules, query = self._rules, self._rule_query
        if not scored.all():
            rules, query = self._cold_rules, self._cold_query
        flags = query.flags(seen)
        flags[scored, len(self._rules) :] = False  # the cold-start rules are for what has no score
        cheapest = cheapest_actions(scores, self._amounts(columns), self._pipeline.decision.costs)
        strengths = np.maximum(ruled_actions(flags, rules), np.where(scored, cheapest, 0))
        control = self._pipeline.outcomes.control_group
        verdicts = [
            verdict(event_id, strength, control) if strength else _APPROVED
            for event_id, strength in zip(accepted.ids, strengths.tolist(), strict=True)
        ]
        champion, had_score = acting.champion, scored.tolist()
        return Evidence(
            verdicts=verdicts,
            rules=_matched(flags, [rule.name for rule in rules]),
            scores=scores,
            margins=margins,
            models=[champion.version if champion and known else None for known in had_score],
            engines=[champion.engine.name if champion and known else None for known in had_score],
            fallbacks=[None if known else (NO_SCORE if champion else COLD_START) for known in had_score],
            reasons=[[] for _ in verdicts],
            shadows=[{} for _ in verdicts],
            decided_at=decided_at,
        )

    def _amounts(self, columns: Columns) -> Vector:
        name = self._pipeline.decision.costs.amount
        if name is None:
            return np.zeros(len(columns[self._pipeline.event.id]))
        kind = self._pipeline.event.fields[name].type
        amounts = np.array([np.nan if v is None else v for v in columns[name]], np.float64)
        return amounts / 10**kind.scale if kind.kind is Kind.DECIMAL else amounts


def _score(acting: Acting, matrix: Matrix) -> tuple[Vector, Vector]:
    """Margins and scores; both NaN where there is no champion, or where it gives no finite number."""
    if acting.champion is None or len(matrix) == 0:
        nothing = np.full(len(matrix), np.nan)
        return nothing, nothing
    margins = acting.champion.margins(matrix)
    scores = acting.champion.scores(margins)
    sound = np.isfinite(margins) & np.isfinite(scores)
    return np.where(sound, margins, np.nan), np.where(sound, scores, np.nan)


def _matched(flags: Flags, names: list[str]) -> list[list[str]]:
    """The names of the rules that match, of every row; of most rows none does."""
    matched: list[list[str]] = [[] for _ in range(len(flags))]
    for row in np.flatnonzero(flags.any(axis=1)):
        matched[row] = [names[i] for i in np.flatnonzero(flags[row])]
    return matched


def _rule_query(schema: pa.Schema, rules: tuple[Rule, ...]) -> RowQuery:
    return RowQuery(schema, [Expression(r.name, r.when, f"decision.rules.{r.name}") for r in rules])
