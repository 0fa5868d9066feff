"""What a scorer tells of its work: metrics once a step and once a second, and the alert for a bad share."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from streams.kafka import waiting
from streams.metrics import Standing
from streams.policies.actions import ACTION_NAMES
from streams.scorer.bad_share import BadShare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feature_store.clock import Clock
    from feature_store.declaration.pipeline import Pipeline
    from streams.alerts import Details
    from streams.kafka import Consumer
    from streams.metrics import ScorerMetrics
    from streams.models.watcher import Acting
    from streams.scorer.core import ScorerCore
    from streams.scorer.evidence import Evidence
    from streams.scorer.records import SourceRecord, StepResult


def action_counts(evidence: Evidence) -> dict[str, int]:
    """How many events of a step each action was taken for."""
    found = np.bincount(evidence.actions, minlength=len(ACTION_NAMES)).tolist()
    return dict(zip(ACTION_NAMES, found, strict=True))


def fallback_counts(evidence: Evidence) -> dict[str, int]:
    """How many events of a step each fallback decided."""
    found = Counter(evidence.fallbacks)
    return {why: count for why, count in found.items() if why is not None}


class Telling:
    """Tells of every committed step, and of how the scorer stands between two."""

    def __init__(
        self,
        pipeline: Pipeline,
        metrics: ScorerMetrics,
        core: ScorerCore,
        consumer: Consumer,
        clock: Clock,
        alert: Callable[[str, str, Details], None],
    ) -> None:
        self._metrics = metrics
        self._core = core
        self._consumer = consumer
        self._clock = clock
        self._alert = alert
        self._topic = pipeline.topics.events
        self._bad_share = BadShare(pipeline.serving.dead_letter_alert)

    def stepped(self, records: Sequence[SourceRecord], result: StepResult) -> None:
        """A step is committed."""
        self._metrics.step(
            [record.record_time_ms for record in records],
            result.actions,
            [refused.reason for refused in result.refused],
            result.duplicates,
            result.fallbacks,
        )
        found = self._bad_share.step(len(records), len(result.refused), self._clock.now())
        if found is not None:
            self._alert("dead_letter_share", found.text, found.details)

    def aborted(self) -> None:
        """A step was rolled back."""
        self._metrics.aborted()

    def turn(self, acting: Acting, policy_offset: int) -> None:
        """Between two steps: how the scorer stands, once a second."""
        if not self._metrics.wants_standing():
            return
        positions = self._core.positions
        champion = acting.champion
        self._metrics.stand(
            Standing(
                lag=waiting(self._consumer, self._topic, positions),
                epoch=acting.epoch,
                policy_offset=policy_offset,
                model=None if champion is None else champion.version,
                engine=None if champion is None else champion.engine.name,
                entities=self._core.store.entities,
                state_bytes=self._core.store.nbytes,
                ids=sum(len(self._core.intake.filter_of(partition)) for partition in positions),
            )
        )
