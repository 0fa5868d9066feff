"""Take-over: state as if the partitions had always been here.

1. Find the newest snapshot of every state that the feature log confirms, and take it in.
2. Read the committed feature log from there to exactly the group's committed positions; from its start where
   there is no snapshot, or where features were declared after it was taken. Without transactions a claim is
   made first, and the log is read to it: what it has was decided, wherever the group's positions stand.
3. Refuse a log that lacks something of that.
4. Apply what the snapshot lacks, in applied order.

The input topics are not read again: their interleaving would be another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from feature_store.claims import NO_CLAIM
from feature_store.errors import ContractError, StateError
from feature_store.snapshots import install, units_of
from streams.scorer.bases import Bases
from streams.scorer.partition_log import LogBounds, LogEnd, PartitionLog, log_bounds, read_logs
from streams.scorer.reach import refuse_a_short_log
from streams.scorer.records import NOTHING_DECIDED, Position, Under
from streams.scorer.replay import replay

if TYPE_CHECKING:
    from feature_store.claims import Claim
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.snapshots import Shelf, Snapshot
    from streams.kafka import Consumer
    from streams.scorer.claiming import Claiming
    from streams.scorer.core import ScorerCore

_log = structlog.get_logger()


class Restored(NamedTuple):
    """How many events were replayed, the newest release epoch that any of the partitions was under, the end
    of the log that each of them stands at, and the snapshots that were used.
    """

    events: int
    under: Under
    ends: dict[int, LogEnd]
    snapshots: list[Snapshot]


def restore(
    core: ScorerCore,
    pipeline: Pipeline,
    bootstrap: str,
    probe: Consumer,
    committed: dict[int, Position | None],
    shelf: Shelf | None = None,
    claiming: Claiming | None = None,
) -> Restored:
    """Rebuild the state of partitions, just added to ``core``, at their ``committed`` positions.

    None is a partition of which the group has committed nothing. Raises StateError where the log does not
    reach exactly to a committed position, holds events of a partition without one, or does not reach back far
    enough.
    """
    if not committed:
        return Restored(0, NOTHING_DECIDED, {}, [])
    topic = pipeline.topics.features
    units = units_of(pipeline, committed)
    bounds = log_bounds(probe, topic, list(committed))
    starts = {p: at if at is not None else Position(core.positions[p]) for p, at in committed.items()}
    claims = _claimed(claiming, starts, committed)
    bases = Bases(bootstrap, probe, topic, starts, bounds, claims)
    found = bases.find(shelf, units) if shelf is not None else {}  # 1
    restorations = [
        _Restoration(
            core, pipeline, found.get(unit), [(p, committed[p], bounds[p], claims.get(p)) for p in partitions]
        )
        for unit, partitions in units.items()
    ]
    logs = [log for each in restorations for log in each.logs]
    read_logs(bootstrap, probe, topic, logs)  # 2
    while claiming is not None and (lost := {log.partition: log for log in logs if log.lost_to is not None}):
        again = {p: starts[p]._replace(claim=log.lost_to or 0) for p, log in lost.items()}
        for partition, claim in claiming.claim(again).items():
            lost[partition].claim = claim
        read_logs(bootstrap, probe, topic, list(lost.values()))
    _refuse_an_empty_log(pipeline, probe, logs)
    replayed = sum(each.apply() for each in restorations)
    return Restored(
        replayed,
        Under(max(log.under.epoch for log in logs), max(log.under.policy for log in logs)),
        {log.partition: log.end for log in logs},
        list(found.values()),
    )


def _claimed(
    claiming: Claiming | None, starts: dict[int, Position], committed: dict[int, Position | None]
) -> dict[int, Claim]:
    if claiming is None:
        return {}
    return claiming.claim({p: at for p, at in starts.items() if claiming.wanted(committed[p])})


def _refuse_an_empty_log(pipeline: Pipeline, probe: Consumer, logs: list[PartitionLog]) -> None:
    """Raise StateError where events of a claimed partition were decided, but nothing tells how."""
    events = pipeline.topics.events
    for log in logs:
        if log.claim is None or log.position is not None or log.committed is None:
            continue
        low = log_bounds(probe, events, [log.partition])[log.partition].low
        if log.committed.events > low:
            raise StateError(
                f"{events}/{log.partition}: the group has committed offset {log.committed.events}, but the "
                f"feature log {pipeline.topics.features!r} holds nothing of it, and no snapshot does. Was "
                "the topic made anew, or is it kept for too short a time? Use other topics to start anew"
            )


class _Restoration:
    """One state: its snapshot taken in, the log of its partitions yet to be read and applied."""

    def __init__(
        self,
        core: ScorerCore,
        pipeline: Pipeline,
        snapshot: Snapshot | None,
        partitions: list[tuple[int, Position | None, LogBounds, Claim | None]],
    ) -> None:
        self._core = core
        self._pipeline = pipeline
        self._snapshot = snapshot
        self._later: set[str] = set()
        if snapshot is not None:
            filters = {p: core.intake.filter_of(p) for p, *_ in partitions}
            try:
                held, self._later = install(snapshot, core.store, filters)
            except ContractError as error:
                raise StateError(
                    f"snapshot of {snapshot.unit}: {error}. Remove it from serving.snapshots.store"
                ) from error
            _log.info("snapshot_taken", unit=snapshot.unit, held=sorted(held), filled=sorted(self._later))
        self.logs = [self._log_of(*each) for each in partitions]

    def _log_of(
        self, partition: int, committed: Position | None, bounds: LogBounds, claim: Claim | None
    ) -> PartitionLog:
        if self._snapshot is None:
            return PartitionLog(partition, committed, None, bounds.low, claim)
        base = self._snapshot.positions[partition]
        if all(position.log_offset < 0 for position in self._snapshot.positions.values()):
            base = msgspec.structs.replace(base, history=self._snapshot.seq)  # past events, and no log yet
        first = bounds.low if self._later else max(bounds.low, base.log_offset + 1)
        return PartitionLog(partition, committed, base, first, claim)

    def apply(self) -> int:
        """Bring the state to the committed positions; the number of events that were added."""
        core, pipeline = self._core, self._pipeline
        for log in self.logs:
            log.check(pipeline.topics.events, pipeline.topics.features)
        if self._later:
            self._replay("before", self._later)
        replayed = self._replay("after")
        if self._snapshot is None or self._later:  # 3
            newest = min(core.store.newest(log.partition) for log in self.logs)
            refuse_a_short_log(pipeline, self.logs, self._later or None, newest)
        seq = self._snapshot.seq if self._snapshot is not None else 0
        for log in self.logs:
            events = log.committed.events if log.committed is not None else core.positions[log.partition]
            if log.claim is not None and log.position is not None:
                events = log.position
            core.restored(log.partition, events, log.outcomes, seq, log.history, log.claim or NO_CLAIM)
        return replayed

    def _replay(self, part: str, only: set[str] | None = None) -> int:
        entries = [log.before if part == "before" else log.after for log in self.logs]
        rows = [batch for each in entries for batch in each.rows]
        deltas = [batch for each in entries for batch in each.deltas]
        events = [batch for log in self.logs for batch in (*log.before.rows, *log.after.rows)]
        return replay(self._core, self._pipeline, rows, deltas, only, events)  # 4
