"""Stages without Kafka: workers that take what waits for them in any order, and what they write down."""

from __future__ import annotations

import random
from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from feature_store.carried import HEADER, times_of
from feature_store.clock import StreamClock
from feature_store.log import decode_whole_log
from feature_store.snapshots import install
from feature_store.units import to_text
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.deltas import DeltaDecoder, OutcomePosition
from streams.scorer.records import Forwarded, SourceDelta, SourceRecord
from streams.sources.partitions import partitions_of
from tests.support.outcomes import delta
from tests.support.payments import MONDAY, SECOND, encoded
from tests.support.staged import order_of

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.snapshots import Snapshot
    from tests.support.staged import Row

COLD = Acting(0, None)
WORKERS = 2


class Worker:
    """One scorer of one stage, with some of its partitions."""

    def __init__(self, pipeline: Pipeline, partitions: list[int]) -> None:
        self.pipeline = pipeline
        self.core = ScorerCore(pipeline, StreamClock())
        for partition in partitions:
            self.core.add_partition(partition, 0)


class Relay:
    """All stages, each with its workers, and the topics between them."""

    def __init__(self, pipeline: Pipeline, luck: random.Random) -> None:
        self.luck = luck
        self.partitions = pipeline.topics.partitions
        self.pipeline = pipeline
        views = [pipeline.at(stage) for stage in pipeline.stages]
        self.decoders = [DeltaDecoder(view) for view in views]
        shares = [list(range(worker, self.partitions, WORKERS)) for worker in range(WORKERS)]
        self.stages = [[Worker(view, share) for share in shares] for view in views]
        self.topics = [[deque[SourceRecord]() for _ in range(self.partitions)] for _ in views]
        self.outcomes = [[deque[SourceDelta]() for _ in range(self.partitions)] for _ in views]
        self.ends: Counter[tuple[int, int]] = Counter()
        self.outcome_ends: Counter[tuple[int, int]] = Counter()
        self.rows: list[Row] = []
        self.deltas: dict[str, list[Row]] = {order_of(stage): [] for stage in pipeline.stages}
        """What each stage has applied, by the column of its order."""
        self.routed: list[Row] = []
        """What the keeper's outbox holds."""
        self.log: list[bytes] = []
        """What the last stage has written to the feature log."""
        self.decisions: list[bytes] = []
        self.told = 0

    def send(self, stage: int, key: bytes | None, value: bytes | None, carried: bytes = b"") -> None:
        partition = self.luck.randrange(self.partitions)
        if key is not None:
            partition = int(partitions_of(pa.array([key.decode()]), self.partitions)[0])
        offset = self.ends[stage, partition]
        self.ends[stage, partition] += 1
        times = times_of(carried) or (MONDAY // 1_000, MONDAY + 86_400 * SECOND)
        self.topics[stage][partition].append(SourceRecord(partition, offset, key, value, *times, (), carried))

    def begin_with(self, snapshots: list[Snapshot]) -> None:
        """Take over the state that past events have left, in every stage."""
        views = {worker.pipeline.name: workers for workers in self.stages for worker in workers}
        for snapshot in snapshots:
            for partition, at in snapshot.positions.items():
                core = views[snapshot.pipeline][partition % WORKERS].core
                assert not install(snapshot, core.store, {partition: core.intake.filter_of(partition)})[1]
                known = OutcomePosition(at.outcomes, at.route_seq)
                core.restored(partition, at.events, known, snapshot.seq, history=snapshot.seq)
                self.told = max(self.told, at.route_seq)

    def run(self) -> None:
        """Steps of some worker with some of what waits for it, until nothing waits."""
        while any(topic for stage in self.topics for topic in stage):
            stage, worker = self.luck.randrange(len(self.stages)), self.luck.randrange(WORKERS)
            mine = range(worker, self.partitions, WORKERS)
            batch = [
                record
                for p in mine
                for record in islice(self.topics[stage][p], self.luck.randrange(8))
            ]  # fmt: skip
            deltas = [
                known
                for p in mine
                for known in islice(self.outcomes[stage][p], self.luck.randrange(3))
            ]  # fmt: skip
            if batch or deltas:
                self._step(stage, self.stages[stage][worker], batch, deltas)

    def _step(self, stage: int, worker: Worker, batch: list[SourceRecord], deltas: list[SourceDelta]) -> None:
        if self.luck.random() < 0.2:
            worker.core.step(batch, COLD, deltas)
            worker.core.rollback()
        result = worker.core.step(batch, COLD, deltas)
        worker.core.commit()
        for record in batch:
            self.topics[stage][record.partition].popleft()
        for known in deltas:
            self.outcomes[stage][known.partition].popleft()
        for sent in result.forwarded:
            self.send(stage + 1, sent.key, sent.value, _carried(sent))
        assert not result.refused
        self.decisions += [each.message for each in result.decided]
        for log in result.log:
            rows, _, learned = decode_whole_log(log.message)
            if learned is not None:
                self.deltas[order_of(self.pipeline.stages[stage])] += learned.to_pylist()
            if stage == len(self.stages) - 1:
                self.log.append(log.message)
                self.rows += rows.to_pylist()
                self._tell()

    def _tell(self) -> None:
        """Now and then it becomes known that a payment was fraud, or that it was not, after all."""
        if not self.rows or self.luck.random() < 0.5:
            return
        row, fraud = self.luck.choice(self.rows), self.luck.choice((1, 1, -1))
        self.told += 1
        time = MONDAY + int(row["event_id"][1:]) * 60 * SECOND
        entity = {name: row[name] for name in self.pipeline.outcome_fields}
        known = {"event_id": row["event_id"], "fraud": fraud, "let_through": row["action"] == "approve"}
        raw = delta(self.told, 0, **known, event_time=to_text(time), entity=entity)
        self._route(len(self.stages) - 1, row["source_partition"], raw)
        for stage in self.pipeline.counting_stages:
            if (key := row[stage.key]) is not None:
                on = int(partitions_of(pa.array([str(key)]), self.partitions)[0])
                self._route(stage.number, on, raw)
        place = {"route_seq": self.told, "source_partition": row["source_partition"]}
        times = {"event_time": row["event_time"], "arrived_at": row["event_time"]}
        self.routed.append(known | place | times | {f"entity_{n}": value for n, value in entity.items()})

    def _route(self, stage: int, partition: int, raw: bytes) -> None:
        """Once, or twice as a keeper does that was killed in between."""
        for _ in range(self.luck.choice((1, 1, 2))):
            offset = self.outcome_ends[stage, partition]
            self.outcome_ends[stage, partition] += 1
            values = self.decoders[stage].decode(raw)
            self.outcomes[stage][partition].append(SourceDelta(partition, offset, values))


def payment(luck: random.Random, number: int) -> dict[str, Any]:
    """One of a few customers, devices and terminals, a minute after the one before."""
    return {
        "event_time": to_text(MONDAY + number * 60 * SECOND),
        "customer_id": f"c{luck.randrange(8)}",
        "device_id": luck.choice((None, "d1", "d2")),
        "terminal_id": f"t{luck.randrange(4)}",
        "country": luck.choice(("DE", "FR")),
        "amount": luck.choice((10, 25.5, 5_200)),
    }


def played(
    pipeline: Pipeline, seed: int, count: int, first: int = 1, snapshots: list[Snapshot] | None = None
) -> Relay:
    """So many payments through all stages, which begin with ``snapshots``."""
    luck = random.Random(seed)
    relay = Relay(pipeline, luck)
    relay.begin_with(snapshots or [])
    for number in range(first, first + count):
        relay.send(0, *encoded(number, **payment(luck, number)))
    relay.run()
    return relay


def _carried(sent: Forwarded) -> bytes:
    return next(value for name, value in sent.headers if name == HEADER and isinstance(value, bytes))
