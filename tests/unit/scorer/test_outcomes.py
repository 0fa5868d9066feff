"""Outcomes in a step: learned before its events, once, written down, and taken back where it is aborted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from feature_store.clock import StreamClock
from feature_store.log import LogMeta, decode_whole_log
from streams.models.watcher import Acting
from streams.scorer.core import ScorerCore
from streams.scorer.deltas import DeltaDecoder
from streams.scorer.log_writer import LogWriter
from streams.scorer.records import Position, SourceDelta, SourceRecord, StepResult
from streams.scorer.replay import replay
from tests.support.outcomes import FRAUD_RATE, FRAUDS, counting_frauds, delta
from tests.support.payments import MONDAY, SECOND, encoded

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from feature_store.declaration.pipeline import Pipeline
    from feature_store.expressions import Matrix
    from feature_store.store import FeatureStore

COLD = Acting(0, None)
ARRIVED = MONDAY + 86_400 * SECOND


class Ledger:
    """A store that notes what it is told, and whose features are all the frauds known of the customer."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._width = len(pipeline.feature_vector)
        self.calls: list[Any] = []
        self._known: Counter[str] = Counter()
        self._pending: Counter[str] = Counter()

    def add_partition(self, partition: int) -> None: ...

    def newest(self, partition: int) -> int:
        del partition
        return -(2**62)

    def learn(self, deltas: pa.RecordBatch, *_: Any) -> None:
        rows = deltas.to_pylist()
        self.calls.append(("learn", [row["seq"] for row in rows]))
        for row in rows:
            self._pending[row["entity_customer_id"]] += row["fraud"]

    def observe(self, events: pa.RecordBatch, partitions: list[int], carried: Matrix | None) -> Matrix:
        assert carried is None
        self.calls.append(("observe", len(partitions)))
        customers: list[Any] = events.column("customer_id").to_pylist()
        known = np.array([self._known[c] + self._pending[c] for c in customers], np.float64)
        return np.repeat(known[:, np.newaxis], self._width, axis=1)

    def apply(self, events: pa.RecordBatch, partitions: list[int], let_through: Any, *_: Any) -> None:
        del events, partitions
        self.calls.append(("apply", let_through.tolist()))

    def decided(self, let_through: Any) -> None:
        self.calls.append(("decided", let_through.tolist()))

    def commit(self) -> None:
        self._known += self._pending
        self._pending.clear()

    def rollback(self) -> None:
        self._pending.clear()


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return counting_frauds(tmp_path)[1]


def new_core(pipeline: Pipeline) -> tuple[ScorerCore, Ledger]:
    core, ledger = ScorerCore(pipeline, StreamClock()), Ledger(pipeline)
    core.store = cast("FeatureStore", ledger)
    for partition in (0, 1):
        core.add_partition(partition, 100 * partition)
    return core, ledger


def payment(number: int, partition: int = 0, **changes: Any) -> SourceRecord:
    return SourceRecord(partition, number, *encoded(number, **changes), ARRIVED // 1_000, ARRIVED)


def known(
    pipeline: Pipeline, offset: int, route_seq: int, number: int, partition: int = 0, **changes: Any
) -> SourceDelta:
    raw = delta(route_seq, number, **changes)
    return SourceDelta(partition, offset, DeltaDecoder(pipeline).decode(raw))


def logged(result: StepResult) -> dict[int, tuple[pa.RecordBatch, LogMeta, pa.RecordBatch | None]]:
    return {log.partition: decode_whole_log(log.message) for log in result.log}


def test_what_became_known_is_learned_before_the_events_of_the_step(pipeline: Pipeline) -> None:
    core, ledger = new_core(pipeline)
    core.step([payment(1)], COLD)
    core.commit()
    deltas = [known(pipeline, 0, 1, 1), known(pipeline, 4, 2, 102, partition=1)]
    result = core.step([payment(51), payment(53, amount=450, country="FR")], COLD, deltas)
    assert ledger.calls[2:] == [("learn", [2, 3]), ("observe", 2), ("decided", [True, False])]
    log = logged(result)
    rows, meta, learned = log[0]
    assert rows.column(FRAUDS).to_pylist() == [1.0, 0.0]
    assert rows.column("seq").to_pylist() == [4, 5]
    assert rows.column("decided_seq").to_pylist() == [5, 5]
    assert (meta.outcomes_offset, meta.route_seq) == (1, 1)
    assert learned is not None
    assert [(row["seq"], row["event_id"]) for row in learned.to_pylist()] == [(2, "e1")]
    rows, meta, learned = log[1]
    assert rows.num_rows == 0
    assert (meta.first_offset, meta.next_offset) == (100, 100)
    assert (meta.outcomes_offset, meta.route_seq) == (5, 2)
    assert learned is not None
    assert [(row["seq"], row["event_id"]) for row in learned.to_pylist()] == [(3, "e102")]
    assert result.positions == {0: Position(54, 1), 1: Position(100, 5)}


def test_a_step_may_have_outcomes_only(pipeline: Pipeline) -> None:
    core, _ = new_core(pipeline)
    result = core.step([], COLD, [known(pipeline, 7, 3, 1), known(pipeline, 8, 4, 2)])
    rows, meta, learned = logged(result)[0]
    assert rows.num_rows == 0
    assert (meta.first_offset, meta.next_offset, meta.outcomes_offset, meta.route_seq) == (0, 0, 9, 4)
    assert learned is not None
    assert learned.column("route_seq").to_pylist() == [3, 4]
    assert result.positions == {0: Position(0, 9)}
    assert result.decided == []
    core.commit()
    assert core.positions == {0: 0, 1: 100}
    assert core.outcomes == {0: (9, 4), 1: (0, 0)}
    assert core.seq == 2


def test_what_was_applied_before_is_not_learned_again(pipeline: Pipeline) -> None:
    core, ledger = new_core(pipeline)
    core.step([], COLD, [known(pipeline, 0, 1, 1), known(pipeline, 1, 2, 2)])
    core.commit()
    again = [known(pipeline, 2, 1, 1), SourceDelta(0, 3, None), known(pipeline, 5, 2, 2)]
    result = core.step([payment(51)], COLD, again)
    rows, meta, learned = logged(result)[0]
    assert learned is None
    assert rows.column(FRAUDS).to_pylist() == [1.0]
    assert (meta.outcomes_offset, meta.route_seq) == (6, 2)
    assert [call for call in ledger.calls if call[0] == "learn"] == [("learn", [1, 2])]


def test_after_an_abort_the_same_comes_again(pipeline: Pipeline) -> None:
    core, _ = new_core(pipeline)
    core.step([payment(1)], COLD, [known(pipeline, 0, 1, 1)])
    core.commit()
    records, deltas = [payment(51), payment(52)], [known(pipeline, 1, 2, 1), known(pipeline, 2, 3, 2)]
    first = core.step(records, COLD, deltas)
    core.rollback()
    assert core.outcomes[0] == (1, 1)
    assert core.seq == 2
    assert core.step(records, COLD, deltas) == first
    assert logged(first)[0][0].column(FRAUDS).to_pylist() == [2.0, 1.0]


def test_a_restart_learns_in_the_same_order_among_the_events(pipeline: Pipeline) -> None:
    core, _ = new_core(pipeline)
    steps: list[tuple[list[SourceRecord], list[SourceDelta]]] = [
        ([], [known(pipeline, 0, 1, 1)]),
        ([payment(1), payment(2, amount=450, country="FR")], []),
        ([payment(51)], [known(pipeline, 1, 2, 1), known(pipeline, 2, 3, 2)]),
        ([payment(52)], []),
        ([], [known(pipeline, 3, 4, 1, fraud=-1)]),
    ]
    messages = []
    for records, deltas in steps:
        messages += core.step(records, COLD, deltas).log
        core.commit()
    found = [decode_whole_log(log.message) for log in messages]
    rows = [rows for rows, _, _ in found]
    learned = [deltas for _, _, deltas in found if deltas is not None]
    restored, ledger = new_core(pipeline)
    assert replay(restored, pipeline, rows, learned) == 4
    assert ledger.calls == [
        ("learn", [1]),
        ("apply", [True, False]),
        ("learn", [4, 5]),
        ("apply", [True, True]),
        ("learn", [8]),
    ]
    restored.restored(0, 53, core.outcomes[0])
    assert restored.seq == core.seq == 8
    rest = [payment(101), payment(102)], COLD, [known(pipeline, 2, 3, 2), known(pipeline, 9, 9, 2)]
    assert [log.message for log in restored.step(*rest).log] == [log.message for log in core.step(*rest).log]


def test_a_log_that_is_too_large_is_split_outcomes_first(pipeline: Pipeline) -> None:
    core, _ = new_core(pipeline)
    core._log = LogWriter(pipeline, max_bytes=20_000)
    deltas = [known(pipeline, n, n + 1, n) for n in range(1_000)]
    result = core.step([payment(n) for n in range(100)], COLD, deltas)
    parts = [decode_whole_log(log.message) for log in result.log]
    assert max(len(log.message) for log in result.log) <= 20_000
    learned: list[Any] = []
    offsets: list[Any] = []
    end = 0
    for rows, meta, deltas_of_part in parts:
        assert meta.first_offset == end
        end = meta.next_offset
        if deltas_of_part is not None:
            assert (end, rows.num_rows, offsets) == (0, 0, [])
            learned += deltas_of_part.column("route_seq").to_pylist()
        assert meta.route_seq == learned[-1]  # no more than was learned, should the next part never come
        assert meta.outcomes_offset == (1_000 if meta.route_seq == 1_000 else 0)
        offsets += rows.column("source_offset").to_pylist()
    assert learned == list(range(1, 1_001))
    assert offsets == list(range(100))
    assert end == 100


def test_where_no_feature_counts_outcomes_any_more_they_are_passed_over(
    tmp_path: Path, pipeline: Pipeline
) -> None:
    core, _ = new_core(pipeline)
    logs = core.step([payment(1)], COLD, [known(pipeline, 0, 1, 1)]).log
    rows, _, learned = decode_whole_log(logs[0].message)
    counts = {"entity": ["customer_id", "card_id"], "windows": ["1h"], "count": True}
    plain = counting_frauds(tmp_path, features={"windows": [counts]})[1]
    assert plain.outcome_fields == ()
    assert learned is not None
    other, ledger = new_core(plain)
    assert replay(other, plain, [rows], [learned]) == 1
    assert [name for name, _ in ledger.calls] == ["apply"]


def real_core(pipeline: Pipeline) -> ScorerCore:
    core = ScorerCore(pipeline, StreamClock())
    core.add_partition(0, 0)
    return core


def rates(result: StepResult) -> list[tuple[Any, Any]]:
    rows = logged(result)[0][0]
    return list(zip(rows.column(FRAUDS).to_pylist(), rows.column(FRAUD_RATE).to_pylist(), strict=True))


def test_known_fraud_is_held_to_what_was_let_through_and_known_to_be(pipeline: Pipeline) -> None:
    core = real_core(pipeline)
    stopped: dict[str, Any] = {"amount": 450, "country": "FR"}
    first = core.step([payment(1), payment(51, event_id="e53", **stopped)], COLD)
    assert [row["action"] for row in logged(first)[0][0].to_pylist()] == ["approve", "review"]
    core.commit()
    records, deltas = [payment(101), payment(151)], [known(pipeline, 0, 1, 1)]
    second = core.step(records, COLD, deltas)
    assert rates(second) == [(1.0, 1.0), (1.0, 1.0)]  # of one event: the other of the step is decided with it
    core.rollback()
    assert rates(core.step(records, COLD, deltas)) == rates(second)
    core.commit()
    assert rates(core.step([payment(201)], COLD)) == [(1.0, 1 / 3)]
    core.rollback()

    restored = real_core(pipeline)
    parts = [logged(result)[0] for result in (first, second)]
    replay(restored, pipeline, [rows for rows, _, _ in parts], [deltas for _, _, deltas in parts if deltas])
    assert rates(restored.step([payment(201)], COLD, [known(pipeline, 1, 2, 51, let_through=False)])) == [
        (2.0, 1 / 3)
    ]
