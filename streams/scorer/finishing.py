"""The second half of a step: what becomes of the accepted events, decided or sent on to the next stage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.carried import HEADER, Carried
from feature_store.columns import from_arrow, number_arrays
from feature_store.log import seen_schema
from streams.metrics import Stage
from streams.policies.actions import APPROVE
from streams.scorer.decider import Decider
from streams.scorer.decision_writer import DecisionWriter
from streams.scorer.log_rows import LogRows, Traces, traces_of
from streams.scorer.reasons import StoppedReasons
from streams.scorer.records import NOTHING_DECIDED, Decided, Forwarded, Under
from streams.scorer.scoring import NO_SCORE
from streams.scorer.telling import action_counts, fallback_counts

if TYPE_CHECKING:
    from feature_store.carried import Orders
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from feature_store.store import FeatureStore
    from streams.metrics import Stages
    from streams.models.watcher import Acting
    from streams.policies import ActivePolicy
    from streams.scorer.deltas import DeltaBook
    from streams.scorer.evidence import Evidence
    from streams.scorer.intake import Accepted


@dataclass
class Finished:
    """What a step adds to Kafka for its accepted events, the ``rows`` of its log among it."""

    rows: pa.RecordBatch
    under: Under = NOTHING_DECIDED
    decided: list[Decided] = field(default_factory=list)
    forwarded: list[Forwarded] = field(default_factory=list)
    traces: Traces = field(default_factory=dict)
    unscored: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    actions: dict[str, int] = field(default_factory=dict)
    fallbacks: dict[str, int] = field(default_factory=dict)


class Deciding:
    """Scores events and decides each: expected cost, rules, control group."""

    def __init__(self, pipeline: Pipeline, stages: Stages) -> None:
        """Compile the pipeline's rules. Raises ConfigError naming the key of an unsound one."""
        self._stage = stages.stage
        self._decider = Decider(pipeline)
        self._reasons = StoppedReasons(pipeline)
        self._decisions = DecisionWriter(pipeline)
        self._rows = LogRows(pipeline)
        self._seen_schema = seen_schema(pipeline)

    def finish(
        self,
        store: FeatureStore,
        accepted: Accepted,
        first_seq: int,
        acting: Acting,
        policy: ActivePolicy,
        now: int,
    ) -> Finished:
        """Decide under exactly one release and one policy.

        Features come from ``store``, and see what was applied before; ``first_seq`` is the applied order of
        the first event.
        """
        with self._stage(Stage.FEATURES):
            events, carried = accepted.events, accepted.carried
            matrix = store.observe(events, accepted.partitions, None if carried is None else carried.found)
            seen = pa.record_batch([*events.columns, *number_arrays(matrix)], schema=self._seen_schema)
        with self._stage(Stage.SCORE):
            scored = self._decider.score(acting, accepted, matrix, now)
        with self._stage(Stage.DECIDE):
            evidence = self._decider.decide(acting, policy, accepted, seen, matrix, now, scored)
            evidence = self._with_reasons(evidence, acting, matrix)
            store.decided(evidence.actions == APPROVE)
        with self._stage(Stage.ENCODE):
            return Finished(
                rows=self._rows.decided(accepted, seen, evidence, first_seq),
                under=Under(acting.epoch, evidence.policy_offset),
                decided=self._decisions.write(acting.epoch, accepted, evidence),
                traces=traces_of(accepted, evidence),
                unscored=evidence.fallbacks.count(NO_SCORE),
                failures=evidence.failures,
                actions=action_counts(evidence),
                fallbacks=fallback_counts(evidence),
            )

    def _with_reasons(self, evidence: Evidence, acting: Acting, matrix: Matrix) -> Evidence:
        stopped = (evidence.policy_actions != APPROVE) & np.isfinite(evidence.scores)
        if not stopped.any():
            return evidence
        return msgspec.structs.replace(
            evidence, reasons=self._reasons.by(acting, evidence.models, matrix, stopped)
        )


class Forwarding:
    """Adds the features of one stage, and sends every event on to the next, as it came."""

    def __init__(self, pipeline: Pipeline, stages: Stages, deltas: DeltaBook) -> None:
        """``deltas`` are those that this stage applies."""
        assert pipeline.stage is not None  # noqa: S101
        self._stage = stages.stage
        self._rows = LogRows(pipeline)
        self._next_key = pipeline.stages[pipeline.stage.number + 1].key
        self._kind = pipeline.event.fields[self._next_key].type
        self._deltas = deltas if pipeline.outcome_fields else None

    def finish(
        self,
        store: FeatureStore,
        accepted: Accepted,
        first_seq: int,
        acting: Acting,
        policy: ActivePolicy,
        now: int,
    ) -> Finished:
        """As ``Deciding.finish``, but nothing is decided here."""
        del acting, policy, now
        with self._stage(Stage.FEATURES):
            before = accepted.carried
            found = store.found(
                accepted.events, accepted.partitions, None if before is None else before.found
            )
        with self._stage(Stage.ENCODE):
            headers = store.carrying.write(self._carried(accepted, found, first_seq))
            keys = from_arrow(self._kind, accepted.events.column(self._next_key))
            return Finished(
                rows=self._rows.forwarded(accepted, first_seq),
                forwarded=[
                    Forwarded(
                        None if key is None else str(key).encode(),
                        record.value,
                        [(HEADER, header), *record.trace],
                    )
                    for record, key, header in zip(accepted.records, keys, headers, strict=True)
                ],
            )

    def _carried(self, accepted: Accepted, found: Matrix, first_seq: int) -> Carried:
        """What the events carry on: what they brought, in which order they were applied here, which outcomes
        were known, what was found.
        """
        records, before = accepted.records, accepted.carried
        orders = np.arange(first_seq, first_seq + len(records)).reshape(-1, 1)
        known = self._known(accepted)
        if before is not None:
            orders, known = np.hstack([before.orders, orders]), np.hstack([before.known, known])
            return replace(before, late=accepted.late, orders=orders, known=known, found=found)
        return Carried(
            accepted.partitions,
            np.array([record.offset for record in records], np.int64),
            np.array([record.arrived_at for record in records], np.int64),
            np.array([record.record_time_ms for record in records], np.int64),
            accepted.late,
            orders,
            known,
            found,
        )

    def _known(self, accepted: Accepted) -> Orders:
        """The last outcome that was applied on the partition of each event, where this stage counts them."""
        if self._deltas is None:
            return np.empty((len(accepted.records), 0), np.int64)
        on, places = np.unique(accepted.partitions, return_inverse=True)
        known = np.array([self._deltas.position(p).route_seq for p in on.tolist()], np.int64)
        return known[places].reshape(-1, 1)
