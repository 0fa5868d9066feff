"""One step of the scorer, pure: records and state in, messages out.

1. Sort the records: sound and new, duplicate, dead letter.
2. Compute the feature vector of every sound one, in applied order.
3. Score all of them as one matrix.
4. Decide: expected cost, rules, control group.
5. Write down decisions and the feature log, so that every source offset is accounted for.

State changes are pending until ``commit``; ``rollback`` takes them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.columns import Columns, columns_of, to_arrow
from feature_store.declaration.event import Kind
from feature_store.expressions import Expression, Matrix, RowQuery
from feature_store.log import event_schema
from feature_store.store import FeatureStore
from streams.policy import Verdict, cheapest_actions, ruled_actions, verdict
from streams.scorer.evidence import Evidence, decisions
from streams.scorer.intake import Accepted, Intake
from streams.scorer.log_writer import LogWriter
from streams.scorer.records import SourceRecord, StepResult

if TYPE_CHECKING:
    from feature_store.clock import Clock
    from feature_store.declaration.decision import Rule
    from feature_store.declaration.pipeline import Pipeline
    from streams.models.engine import Vector
    from streams.models.watcher import Acting

COLD_START = "cold_start"
NO_SCORE = "no_score"
"""The champion gave no finite number for this event: the cold-start rules decided."""


class ScorerCore:
    """State and step of one scorer."""

    def __init__(self, pipeline: Pipeline, clock: Clock) -> None:
        """Compile the pipeline's expressions. Raises ConfigError naming the key of an unsound one."""
        self._pipeline = pipeline
        self._clock = clock
        self.intake = Intake(pipeline)
        self.store = FeatureStore(pipeline)
        self._event_schema = event_schema(pipeline.event)
        names = [feature.name for feature in pipeline.feature_vector]
        full = pa.schema([*self._event_schema, *((name, pa.float64()) for name in names)])
        self._names = names
        self._rules = pipeline.decision.rules
        self._cold_rules = (*pipeline.decision.rules, *pipeline.decision.cold_start)
        self._rule_query = _rule_query(full, self._rules)
        self._cold_query = _rule_query(full, self._cold_rules)
        self._log = LogWriter(pipeline)
        self._positions: dict[int, int] = {}
        self._pending: dict[int, int] = {}
        self._seq = 0
        self._committed_seq = 0

    # -- partitions

    def add_partition(self, partition: int, position: int) -> None:
        """Take on a partition whose next offset is ``position``, with empty state."""
        self.intake.add_partition(partition)
        self.store.add_partition(partition)
        self._positions[partition] = position

    def drop_partition(self, partition: int) -> None:
        """Forget a partition."""
        self.intake.drop_partition(partition)
        self.store.drop_partition(partition)
        self._positions.pop(partition, None)

    @property
    def positions(self) -> dict[int, int]:
        """Partition -> next offset, as committed."""
        return dict(self._positions)

    def restore(self, partitions: list[int], events: pa.RecordBatch, last_seq: int) -> None:
        """Apply committed events of the feature log; later events get larger sequence numbers."""
        self.store.apply(events, partitions)
        self.store.commit()
        self.intake.commit()  # ids past the window are dropped on the way: a log is longer than the window
        self._seq = self._committed_seq = max(self._committed_seq, last_seq)

    def restored(self, partition: int, position: int) -> None:
        """The partition's state is that of ``position``."""
        self._positions[partition] = position

    # -- the step

    def step(self, records: list[SourceRecord], acting: Acting) -> StepResult:
        """Process one micro-batch under exactly one release."""
        for record in records:
            self._clock.observe(record.arrived_at)
        found = self.intake.sort(records)
        accepted = found.accepted
        decided_at = self._clock.now()
        columns = columns_of(self._pipeline.event, accepted.values)
        event_columns = [
            to_arrow(spec.type, columns[name]) for name, spec in self._pipeline.event.fields.items()
        ]
        events = pa.record_batch(event_columns, schema=self._event_schema)
        matrix = self.store.observe(events, [record.partition for record in accepted.records])
        margins, scores = _score(acting, matrix)
        evidence = self._decide(acting, accepted, columns, event_columns, matrix, scores)
        evidence = msgspec.structs.replace(evidence, margins=margins, decided_at=decided_at)
        unscored = evidence.fallbacks.count(NO_SCORE)
        first_seq = self._seq + 1
        self._seq += len(accepted.records)
        self._pending = {record.partition: record.offset + 1 for record in records}
        stretches = {p: (self._positions[p], self._pending[p]) for p in self._pending}
        return StepResult(
            decided=decisions(self._pipeline, acting.epoch, accepted, columns, evidence),
            refused=found.refused,
            log=self._log.write(acting.epoch, stretches, found, event_columns, matrix, evidence, first_seq),
            positions=dict(self._pending),
            duplicates=len(found.duplicates),
            unscored=unscored,
        )

    def commit(self) -> None:
        """The step's messages are committed on Kafka."""
        self.intake.commit()
        self.store.commit()
        self._positions.update(self._pending)
        self._pending = {}
        self._committed_seq = self._seq

    def rollback(self) -> None:
        """The step's messages were aborted: state is as before it."""
        self.intake.rollback()
        self.store.rollback()
        self._pending = {}
        self._seq = self._committed_seq

    def _decide(
        self,
        acting: Acting,
        accepted: Accepted,
        columns: Columns,
        event_columns: list[pa.Array[Any]],
        matrix: Matrix,
        scores: Vector,
    ) -> Evidence:
        scored = np.isfinite(scores)
        rules, query = self._rules, self._rule_query
        if not scored.all():
            rules, query = self._cold_rules, self._cold_query
        missing = np.isnan(matrix)
        batch = pa.record_batch(
            [
                *event_columns,
                *(pa.array(matrix[:, i], mask=missing[:, i]) for i in range(len(self._names))),
            ],
            names=[*self._event_schema.names, *self._names],
        )
        flags = query.flags(batch)
        flags[scored, len(self._rules) :] = False  # the cold-start rules are for what has no score
        costs = self._pipeline.decision.costs
        cheapest = cheapest_actions(scores, self._amounts(columns), costs)
        strengths = np.maximum(ruled_actions(flags, rules), np.where(scored, cheapest, 0))
        control = self._pipeline.outcomes.control_group
        verdicts: list[Verdict] = [
            verdict(event_id, int(strength), control)
            for event_id, strength in zip(accepted.ids, strengths, strict=True)
        ]
        names = [rule.name for rule in rules]
        matched = [[names[i] for i in np.flatnonzero(row)] for row in flags]
        champion = acting.champion
        return Evidence(
            verdicts=verdicts,
            rules=matched,
            scores=scores,
            margins=scores,
            models=[champion.version if champion and known else None for known in scored],
            engines=[champion.engine.name if champion and known else None for known in scored],
            fallbacks=[None if known else (NO_SCORE if champion else COLD_START) for known in scored],
            decided_at=0,
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


def _rule_query(schema: pa.Schema, rules: tuple[Rule, ...]) -> RowQuery:
    return RowQuery(schema, [Expression(r.name, r.when, f"decision.rules.{r.name}") for r in rules])
