"""What is done with each event: its score or a fallback, the policy, the control group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.columns import minor_units
from feature_store.declaration.event import Kind
from feature_store.log import seen_schema
from streams.models.calibration import margins_of
from streams.policies.actions import strength_of
from streams.policies.control import ControlDraw
from streams.policies.rules import RuleSet
from streams.scorer.evidence import Evidence
from streams.scorer.scoring import Scoring

if TYPE_CHECKING:
    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from streams.models.engine import Vector
    from streams.models.watcher import Acting
    from streams.policies import ActivePolicy
    from streams.policies.actions import Mask, Strengths
    from streams.policies.active import Ruled
    from streams.scorer.intake import Accepted
    from streams.scorer.scoring import Scored


class Decider:
    """Scores a matrix and decides every row of it."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Compile the cold-start rules. Raises ConfigError naming the key of an unsound one."""
        self._pipeline = pipeline
        decision = pipeline.decision
        cold = decision.cold_start
        self._cold = RuleSet(seen_schema(pipeline), cold, "decision.cold_start") if cold else None
        self._fallback = None if decision.fallback == "cold_start" else strength_of(decision.fallback)
        self._scoring = Scoring(pipeline)
        self._control = ControlDraw(pipeline.outcomes.control_group)

    def score(self, acting: Acting, accepted: Accepted, matrix: Matrix, now: int) -> Scored:
        """The first half of a decision: what the champion and its shadows say, and where they may not."""
        return self._scoring.score(acting, accepted, matrix, now)

    def decide(
        self,
        acting: Acting,
        policy: ActivePolicy,
        accepted: Accepted,
        seen: pa.RecordBatch,
        matrix: Matrix,
        now: int,
        scored: Scored | None = None,
    ) -> Evidence:
        """What was found about every accepted event, under exactly one release and one policy.

        ``seen`` is what rules may speak of: the fields of every event, and its features, as in ``matrix``.
        ``now`` is the pipeline's clock: deadlines and what expires on lists are judged by it. ``scored`` is
        what ``score`` gave for the same events, where it was asked before.
        """
        found = scored or self.score(acting, accepted, matrix, now)
        margins = _on_one_scale(acting, found)
        ruled = self.ruled(policy, seen, found.scores, margins, now, has_champion=acting.champion is not None)
        actions, propensities = self._control.let_through(accepted.ids, ruled.actions, ruled.final)
        models, engines = _who(acting, found)
        return Evidence(
            policy_actions=ruled.actions,
            actions=actions,
            propensities=propensities,
            rules=ruled.rules,
            scores=found.scores,
            margins=found.margins,
            models=models,
            engines=engines,
            fallbacks=found.fallbacks,
            reasons=[[]] * len(matrix),
            shadows=found.shadows,
            decided_at=now,
            policy_offset=policy.offset,
            queues=ruled.queues,
            failures=found.failures,
        )

    def ruled(
        self,
        policy: ActivePolicy,
        seen: pa.RecordBatch,
        scores: Vector,
        margins: Vector,
        now: int,
        *,
        has_champion: bool,
    ) -> Ruled:
        """What the policy says about events with these scores (NaN: none), before the control group draws."""
        sound = ~np.isnan(scores)
        wanted = policy.by_score(scores, margins, self.amounts(seen), self._pipeline.decision.costs)
        matched: dict[str, Mask] = {}
        if not sound.all():
            fallen, matched = self._fall_back(seen, scores, margins, has_champion=has_champion)
            wanted = np.where(sound, wanted, fallen)
        return policy.rule(seen, scores, margins, wanted, matched, now)

    def _fall_back(
        self, seen: pa.RecordBatch, scores: Vector, margins: Vector, *, has_champion: bool
    ) -> tuple[Strengths, dict[str, Mask]]:
        """What is asked for where no score asks, and which cold-start rules matched there.

        Before the first champion these are the cold-start rules, whatever fallback is declared: one that
        declines would let nothing through to learn from.
        """
        if has_champion and self._fallback is not None:
            return np.full(len(scores), self._fallback, np.int8), {}
        if self._cold is None:
            return np.zeros(len(scores), np.int8), {}
        flags = self._cold.flags(seen, scores, margins)
        flags[~np.isnan(scores)] = False
        return self._cold.strongest(flags), self._cold.matched(flags)

    def amounts(self, seen: pa.RecordBatch) -> Vector:
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


def _on_one_scale(acting: Acting, found: Scored) -> Vector:
    """Margins as a policy means them: on the champion's scale, whoever acts."""
    if found.by_canary is None or acting.champion is None:
        return found.margins
    theirs = margins_of(found.scores, acting.champion.manifest.calibration)
    return np.where(found.by_canary, theirs, found.margins)


def _who(acting: Acting, found: Scored) -> tuple[list[str | None], list[str | None]]:
    """Version and engine of what acts on each event, None where it has no score."""
    if acting.champion is None:
        return [None] * len(found.scores), [None] * len(found.scores)
    champion = acting.champion.version, acting.champion.engine.name
    models, engines = (_where(found.sound, name) for name in champion)
    if acting.canary is not None and found.by_canary is not None:
        for row in np.flatnonzero(found.by_canary).tolist():
            models[row], engines[row] = acting.canary.version, acting.canary.model.engine.name
    return models, engines


def _where(sound: Mask, name: str | None) -> list[str | None]:
    """The name on every event that has a score."""
    if sound.all():
        return [name] * len(sound)
    return [name if each else None for each in sound.tolist()]
