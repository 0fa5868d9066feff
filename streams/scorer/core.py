"""One step of the scorer, pure: records and state in, messages out.

1. Learn what became known: outcome deltas, in the order they were routed.
2. Sort the records: sound and new, duplicate, dead letter.
3. Compute the features of every sound one, in applied order.
4. Score all of them as one matrix, and decide; in a stage before the last, send them on (``finishing``).
5. Write down all of it in the log, so that every source offset is accounted for.

State changes are pending until ``commit``; ``rollback`` takes them back.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from feature_store.claims import NO_CLAIM, Claim
from feature_store.store import FeatureStore
from streams.metrics import Stage, Stages
from streams.policies import compile_policy, default_document
from streams.scorer.deltas import NOTHING_KNOWN, DeltaBook, OutcomePosition
from streams.scorer.finishing import Deciding, Forwarding
from streams.scorer.intake import Intake
from streams.scorer.log_writer import LogWriter, Stretch
from streams.scorer.records import Position, SourceDelta, SourceRecord, StepResult
from streams.scorer.staged_intake import StagedIntake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from feature_store.clock import Clock
    from feature_store.declaration.pipeline import Pipeline
    from streams.formats import AsJson
    from streams.models.watcher import Acting
    from streams.policies import ActivePolicy

_NOWHERE: Mapping[int, int] = MappingProxyType({})


class ScorerCore:
    """State and step of one scorer."""

    def __init__(
        self, pipeline: Pipeline, clock: Clock, as_json: AsJson | None = None, stages: Stages | None = None
    ) -> None:
        """Compile the pipeline's expressions; ``as_json`` for events in another format.

        ``stages`` is told how long each part of a step takes. Raises ConfigError naming the key of an unsound
        expression.
        """
        stages = stages or Stages()
        self._stage = stages.stage
        self._clock = clock
        self.store = FeatureStore(pipeline)
        self.intake = (
            StagedIntake(pipeline, self.store.carrying, as_json)
            if pipeline.stages_before
            else Intake(pipeline, as_json)
        )
        self._deltas = DeltaBook(pipeline)
        self._finishing = (
            Deciding(pipeline, stages) if pipeline.decides else Forwarding(pipeline, stages, self._deltas)
        )
        self._policy = compile_policy(pipeline, default_document(pipeline))
        self._log = LogWriter(pipeline)
        self._positions: dict[int, int] = {}
        self._pending: dict[int, int] = {}
        self._history: dict[int, int] = {}
        self._claims: dict[int, Claim] = {}
        self._seq = 0
        self._committed_seq = 0

    # -- partitions

    def add_partition(self, partition: int, position: int) -> None:
        """Take on a partition whose next offset is ``position``, with empty state."""
        self.intake.add_partition(partition)
        self.store.add_partition(partition)
        self._deltas.add_partition(partition)
        self._positions[partition] = position
        self._history[partition] = 0
        self._claims[partition] = NO_CLAIM

    def drop_partition(self, partition: int) -> None:
        """Forget a partition."""
        self.intake.drop_partition(partition)
        self.store.drop_partition(partition)
        self._deltas.drop_partition(partition)
        self._positions.pop(partition, None)
        self._history.pop(partition, None)
        self._claims.pop(partition, None)

    @property
    def positions(self) -> dict[int, int]:
        """Partition -> next offset, as committed."""
        return dict(self._positions)

    @property
    def outcomes(self) -> dict[int, OutcomePosition]:
        """Partition -> where its entity outcomes stand, as committed."""
        return self._deltas.committed

    @property
    def history(self) -> dict[int, int]:
        """Partition -> the last seq of past events in its state that the feature log does not have."""
        return dict(self._history)

    def claim_of(self, partition: int) -> Claim:
        """The claim under which a partition's feature log is written."""
        return self._claims[partition]

    @property
    def seq(self) -> int:
        """The last number in applied order, as committed."""
        return self._committed_seq

    def restore(
        self,
        partitions: Sequence[int],
        events: pa.RecordBatch,
        let_through: np.ndarray[tuple[int], np.dtype[np.bool_]] | None,
        last_seq: int,
        only: set[str] | None = None,
    ) -> None:
        """Apply committed events of the feature log, to the groups of features in ``only`` where it is given;
        later events get larger sequence numbers.
        """
        self.store.apply(events, partitions, let_through, only)
        self._restored_to(last_seq)

    def restore_deltas(self, deltas: pa.RecordBatch, only: set[str] | None = None) -> None:
        """Apply committed outcome deltas of the feature log, in its order among the events."""
        self.store.learn(deltas, only)
        self._restored_to(deltas.column("seq")[-1].as_py())

    def restored(
        self,
        partition: int,
        position: int,
        outcomes: OutcomePosition = NOTHING_KNOWN,
        seq: int = 0,
        history: int = 0,
        claim: Claim = NO_CLAIM,
    ) -> None:
        """The partition's state is that of these positions, and of ``seq`` or later; ``history`` is the last
        seq of past events in it that the feature log does not have. What follows is written under ``claim``.
        """
        self._history[partition] = history
        self._claims[partition] = claim
        self._positions[partition] = position
        self._deltas.add_partition(partition, outcomes)
        self._restored_to(seq)

    def _restored_to(self, seq: int) -> None:
        self.store.commit()
        self.intake.commit()  # ids past the window are dropped on the way: a log is longer than the window
        self._seq = self._committed_seq = max(self._committed_seq, seq)

    # -- the step

    def step(
        self,
        records: list[SourceRecord],
        acting: Acting,
        deltas: Sequence[SourceDelta] = (),
        policy: ActivePolicy | None = None,
        ends: Mapping[int, int] = _NOWHERE,
    ) -> StepResult:
        """Process one micro-batch under exactly one release and policy, after what became known before it.

        Without a ``policy`` the pipeline file's own acts. Nothing counts between the records and ``ends``
        (partition -> offset).
        """
        if records:
            self._clock.observe(max(record.arrived_at for record in records))
        learned = self._learn(deltas)
        with self._stage(Stage.DECODE):
            found = self.intake.sort(records, self.store.newest)
        first_seq = self._seq + 1
        now = self._clock.now()
        finished = self._finishing.finish(
            self.store, found.accepted, first_seq, acting, policy or self._policy, now
        )
        self._seq += len(found.accepted.records)
        stretches = self._move(records, deltas, ends)
        with self._stage(Stage.ENCODE):
            log = self._log.write(finished.under, stretches, learned, found, finished.rows, finished.traces)
        return StepResult(
            decided=finished.decided,
            forwarded=finished.forwarded,
            refused=found.refused,
            log=log,
            positions={p: Position(s.end, s.outcomes.offset, s.claim.number) for p, s in stretches.items()},
            duplicates=len(found.duplicates),
            unscored=finished.unscored,
            failures=finished.failures,
            actions=finished.actions,
            fallbacks=finished.fallbacks,
        )

    def commit(self) -> None:
        """The step's messages are committed on Kafka."""
        self.intake.commit()
        self.store.commit()
        self._deltas.commit()
        self._positions.update(self._pending)
        self._pending = {}
        self._committed_seq = self._seq

    def rollback(self) -> None:
        """The step's messages were aborted: state is as before it."""
        self.intake.rollback()
        self.store.rollback()
        self._deltas.rollback()
        self._pending = {}
        self._seq = self._committed_seq

    def _learn(self, deltas: Sequence[SourceDelta]) -> pa.RecordBatch:
        learned = self._deltas.take(deltas, self._seq + 1)
        if learned.num_rows:
            self.store.learn(learned)
            self._seq += learned.num_rows
        return learned

    def _move(
        self, records: list[SourceRecord], deltas: Sequence[SourceDelta], ends: Mapping[int, int]
    ) -> dict[int, Stretch]:
        """The stretch of every partition of the step; one that has only deltas is empty."""
        self._pending = {delta.partition: self._positions[delta.partition] for delta in deltas}
        self._pending |= {record.partition: record.offset + 1 for record in records}
        self._pending |= {p: max(end, self._pending.get(p, end)) for p, end in ends.items()}
        return {
            p: Stretch(
                self._positions[p],
                end,
                self._deltas.position(p),
                self._history[p],
                self._deltas.before(p),
                self._claims[p],
            )
            for p, end in self._pending.items()
        }
