"""A system without Kafka: a feature log in memory, scorers that come and go, and one that never stops."""

from __future__ import annotations

import copy
import random
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from feature_store.clock import StreamClock
from feature_store.log import decode_log, decode_whole_log
from feature_store.objects import in_memory
from feature_store.snapshots import Shelf
from streams.models.watcher import Acting
from streams.scorer import bases, partition_log, recovery
from streams.scorer.claiming import Claiming
from streams.scorer.core import ScorerCore
from streams.scorer.records import Position, SourceDelta, SourceRecord, StepResult, Under
from streams.scorer.snapshots import Snapshots
from tests.support.payments import MONDAY, SECOND, encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Consumer

EPOCH = 3
CUSTOMERS = 40
TERMINALS = 12
UNCOMMITTED = SimpleNamespace(close=lambda: None)
"""A client that sees what is not committed, too."""


class Entry(NamedTuple):
    """One message of a partition's log."""

    at: int
    place: int
    content: bytes

    def offset(self) -> int:
        return self.place

    def value(self) -> bytes:
        return self.content

    def partition(self) -> int:
        return self.at


class FeatureLog:
    """The features topic. A transaction's end takes an offset, as in Kafka."""

    def __init__(self, partitions: int) -> None:
        self.messages: dict[int, dict[int, bytes]] = {p: {} for p in range(partitions)}
        self.low = dict.fromkeys(range(partitions), 0)
        self.high = dict.fromkeys(range(partitions), 0)
        self.reads: list[dict[int, tuple[int, int]]] = []
        self.stable: dict[int, Iterator[int]] = {}
        """Partition -> the ends that readers see one after the other, before all is committed again."""

    def append(self, result: StepResult, *, transaction: bool = True) -> dict[int, int]:
        """One committed step; where the last message of each partition went."""
        logged = {partition: self.write(partition, message) for partition, message in result.log}
        for partition in logged if transaction else ():
            self.high[partition] += 1
        return logged

    def write(self, partition: int, message: bytes) -> int:
        """One message; where it went."""
        offset = self.high[partition]
        self.messages[partition][offset] = message
        self.high[partition] += 1
        return offset

    def cut(self, partition: int, low: int) -> None:
        """What retention does."""
        self.low[partition] = low
        kept = {o: m for o, m in self.messages[partition].items() if o >= low}
        self.messages[partition] = kept

    def watermarks(self, client: Any, _: str, partition: int) -> tuple[int, int]:
        seen = iter(()) if client is UNCOMMITTED else self.stable.get(partition, iter(()))
        return self.low[partition], next(seen, self.high[partition])

    def read_range(self, _: str, __: str, ranges: dict[int, tuple[int, int]]) -> Iterator[Entry]:
        self.reads.append(ranges)
        for partition, (low, high) in ranges.items():
            for offset, message in sorted(self.messages[partition].items()):
                if low <= offset < high:
                    yield Entry(partition, offset, message)


class Clock:
    """Real time that stands still until it is told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Worker:
    """A scorer without Kafka: a core, and what keeps its snapshots."""

    def __init__(self, world: World, pipeline: Pipeline) -> None:
        self.world = world
        self.pipeline = pipeline
        self.core = ScorerCore(pipeline, StreamClock())
        self.alerts: list[str] = []
        self.snapshots = Snapshots(
            pipeline,
            self.core,
            world.shelf,
            lambda kind, text, _: self.alerts.append(f"{kind}: {text}"),
            world.time,
        )

    def take_over(self, partitions: list[int]) -> recovery.Restored:
        """As a rebalance does."""
        committed = {p: self.world.committed.get(p) for p in partitions}
        for partition, position in committed.items():
            self.core.add_partition(partition, position.events if position is not None else 0)
        nobody, shelf = cast("Consumer", None), self.world.shelf
        claiming = Claiming(self.pipeline, self)
        found = recovery.restore(self.core, self.pipeline, "nowhere", nobody, committed, shelf, claiming)
        claiming.taken_over(self.core, committed)
        self.snapshots.restored(found.ends, found.snapshots)
        return found

    def claim(self, records: dict[int, bytes], positions: dict[int, Position]) -> dict[int, int]:
        """As the group and the log take it."""
        self.world.committed |= positions
        self.claimed()
        return {partition: self.world.log.write(partition, record) for partition, record in records.items()}

    def stand(self, positions: dict[int, Position]) -> None:
        """As the group takes it."""
        self.world.committed |= positions

    def claimed(self) -> None:
        """Between the note in the group and the record in the log."""

    def step(self, records: list[SourceRecord], deltas: list[SourceDelta] | None = None) -> StepResult:
        """A committed step."""
        result = self.core.step(records, Acting(EPOCH, None), deltas or [])
        exactly_once = self.pipeline.serving.delivery == "exactly_once"
        logged = self.world.log.append(result, transaction=exactly_once)
        if exactly_once or self.world.chance.random() < 0.3:  # else offsets follow now and then
            self.world.committed |= result.positions
        self.core.commit()
        self.snapshots.stepped(result, logged, Under(EPOCH, -1))
        return result

    def keep(self) -> None:
        """Time passes until everything that changed is kept."""
        self.world.time.seconds += self.pipeline.serving.snapshots.every / 1e6
        for _ in range(len(self.core.positions) + 1):
            self.snapshots.turn()
            self.snapshots._writer.wait()

    def hand_over(self, partitions: list[int]) -> None:
        """As a rebalance does on the other side."""
        self.snapshots.hand_over(partitions)
        for partition in partitions:
            self.core.drop_partition(partition)
        self.snapshots.forget(partitions)
        self.snapshots._writer.wait()


class World:
    """Everything that outlives a scorer, and an uninterrupted one beside it."""

    def __init__(self, pipeline: Pipeline, patch: pytest.MonkeyPatch, *, partitions: int = 3) -> None:
        self.pipeline = pipeline
        self.partitions = list(range(partitions))
        self.log = FeatureLog(partitions)
        self.folder = in_memory()
        self.shelf = Shelf(self.folder, pipeline.name, pipeline.serving.snapshots.keep)
        self.committed: dict[int, Position] = {}
        self.time = Clock()
        self.chance = random.Random(7)
        self._number = 0
        self._next = dict.fromkeys(self.partitions, 0)
        self._routed = 0
        self._next_delta = dict.fromkeys(self.partitions, 0)
        self._known: dict[int, int] = {}
        """Partition -> the order from which on the actions of its events are known."""
        self._decided: list[tuple[int, int]] = []
        patch.setattr(partition_log, "watermarks", self.log.watermarks)
        patch.setattr(partition_log, "read_range", self.log.read_range)
        patch.setattr(partition_log, "reader", lambda _, *, uncommitted: uncommitted and UNCOMMITTED)
        patch.setattr(bases, "read_range", self.log.read_range)
        self.uninterrupted = ScorerCore(pipeline, StreamClock())
        for partition in self.partitions:
            self.uninterrupted.add_partition(partition, 0)

    def worker(self, partitions: list[int] | None = None, pipeline: Pipeline | None = None) -> Worker:
        """A fresh scorer that took over."""
        fresh = Worker(self, pipeline or self.pipeline)
        fresh.take_over(self.partitions if partitions is None else partitions)
        return fresh

    def kept(self) -> Worker:
        """A fresh scorer that decided some events, and kept what it holds."""
        fresh = self.worker()
        self.feed(fresh)
        fresh.keep()
        return fresh

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """What is done here is done by who holds nothing any more: the group's offsets stay, and the stream
        goes on where it was.
        """
        lasting = ("_number", "_next", "_routed", "_next_delta", "_known", "_decided", "committed")
        kept = {name: copy.deepcopy(getattr(self, name)) for name in lasting}
        chance = self.chance.getstate()
        yield
        self.chance.setstate(chance)
        vars(self).update(kept)

    def events(self, count: int, partitions: list[int] | None = None) -> list[SourceRecord]:
        """The next events of the stream, a few of them duplicates."""
        found = []
        for _ in range(count):
            if self._decided and self.chance.random() < 0.03:
                number, customer = self.chance.choice(self._decided[-200:])
            else:
                self._number += 1
                number, customer = self._number, self.chance.randrange(CUSTOMERS)
            partition = customer % len(self.partitions)
            if partitions is not None and partition not in partitions:
                continue
            self._decided.append((number, customer))
            found.append(self._record(number, customer, partition))
        return found

    def _record(self, number: int, customer: int, partition: int) -> SourceRecord:
        key, value = encoded(
            number * 60,
            event_id=f"e{number}",
            customer_id=f"c{customer}",
            terminal_id=f"t{number * 7 % TERMINALS}",
            amount=number % 83 + 0.25,
        )
        offset = self._next[partition]
        self._next[partition] = offset + 1
        arrived_at = MONDAY + number * 60 * SECOND
        return SourceRecord(partition, offset, key, value, arrived_at // 1_000, arrived_at)

    def deltas(self, count: int, partitions: list[int] | None = None) -> list[SourceDelta]:
        """What became known about some events that were decided."""
        found = []
        for _ in range(count if self._decided and self.pipeline.outcome_fields else 0):
            number, customer = self.chance.choice(self._decided)
            partition = customer % len(self.partitions)
            if partitions is not None and partition not in partitions:
                continue
            self._routed += 1
            own = {
                "customer_id": f"c{customer}",
                "terminal_id": f"t{number * 7 % TERMINALS}",
                "card_id": None,
            }
            entity = [own[name] for name in self.pipeline.outcome_fields]
            offset = self._next_delta[partition]
            self._next_delta[partition] = offset + 1
            time = MONDAY + number * 60 * SECOND
            fraud = self.chance.choice([1, 1, -1])
            values = (self._routed, f"e{number}", time, fraud, self.chance.random() < 0.7, *entity)
            found.append(SourceDelta(partition, offset, values))
        return found

    def feed(self, *workers: Worker, steps: int = 5, size: int = 40) -> None:
        """Steps of all that hold partitions; each of them as the uninterrupted scorer decides it."""
        for _ in range(steps):
            for worker in workers:
                held = sorted(worker.core.positions)
                events, deltas = self.events(size, held), self.deltas(3, held)
                expected = self.uninterrupted.step(events, Acting(EPOCH, None), deltas)
                self.uninterrupted.commit()
                found = worker.step(events, deltas)
                assert logged(found) == logged(expected)
                assert found.duplicates == expected.duplicates
                self._assert_after_what_is_known(found)

    def _assert_after_what_is_known(self, result: StepResult) -> None:
        """What a step applies comes after what is known of its partition, whoever decided that: the features
        of the step were computed with it.
        """
        for partition, message in result.log:
            rows, _, learned = decode_whole_log(message)
            applied = [row for each in (rows, learned) if each is not None for row in each.to_pylist()]
            before = self._known.get(partition, 0)
            assert all(row["seq"] > before for row in applied)
            orders = (row.get("decided_seq", row["seq"]) for row in applied)
            self._known[partition] = max(orders, default=before)


def logged(result: StepResult) -> dict[tuple[int, int], dict[str, Any]]:
    """What was computed and decided of every event; the numbering of two scorers may differ."""
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for partition, message in result.log:
        for row in decode_log(message)[0].to_pylist():
            del row["seq"], row["decided_seq"], row["decided_at"]
            rows[partition, row["source_offset"]] = row
    return rows
