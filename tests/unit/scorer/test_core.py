"""The pure step of the scorer: every record is accounted for, and what is rolled back never was."""

from __future__ import annotations

import gc
import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.clock import StreamClock
from feature_store.log import decode_log, log_schema
from streams.messages import PolicyRule
from streams.models.champion import load_champion
from streams.models.watcher import Acting
from streams.policies import compile_policy
from streams.scorer.core import ScorerCore
from streams.scorer.log_writer import LogWriter
from streams.scorer.records import Position, SourceRecord, StepResult
from streams.scorer.replay import replay
from tests.support.models import small_model
from tests.support.payments import MONDAY, SECOND, encoded, private_pipeline
from tests.support.policies import document_of

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

COLD = Acting(0, None)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return private_pipeline(tmp_path, "unit")[1]


@pytest.fixture
def core(pipeline: Pipeline) -> ScorerCore:
    return new_core(pipeline)


def new_core(pipeline: Pipeline) -> ScorerCore:
    core = ScorerCore(pipeline, StreamClock())
    for partition in (0, 1):
        core.add_partition(partition, 0)
    return core


def record(offset: int, value: bytes | None, key: bytes | None, partition: int = 0) -> SourceRecord:
    arrived_at = MONDAY + 86_400 * SECOND
    return SourceRecord(partition, offset, key, value, arrived_at // 1_000, arrived_at)


def payment(number: int, partition: int | None = None, **changes: Any) -> SourceRecord:
    key, value = encoded(number, **changes)
    return record(number, value, key, number % 50 % 2 if partition is None else partition)


def decisions(result: StepResult) -> list[dict[str, Any]]:
    return [msgspec.json.decode(decided.message) for decided in result.decided]


def test_without_a_champion_the_declared_cold_start_rules_decide_and_say_so(core: ScorerCore) -> None:
    result = core.step([payment(1), payment(3, amount=450, country="FR")], COLD)
    plain, abroad = decisions(result)
    assert (plain["policy_action"], plain["rules"], plain["fallback"]) == ("approve", [], "cold_start")
    assert (abroad["policy_action"], abroad["rules"]) == ("review", ["large_abroad"])
    assert plain["score"] is None
    assert plain["model"] is None
    assert plain["event"]["amount"] == 11.25
    assert "ip_address" not in plain["event"]


def test_with_a_champion_the_score_and_the_costs_decide(core: ScorerCore, pipeline: Pipeline) -> None:
    manifest, artifact = small_model(pipeline, "m1")
    champion = load_champion(manifest, artifact, pipeline.feature_vector)
    result = core.step([payment(1, amount=5), payment(3, amount=900)], Acting(4, champion))
    small, large = decisions(result)
    assert (small["policy_action"], small["fallback"], small["model"], small["release"]) == (
        "approve",
        None,
        "m1",
        4,
    )
    assert large["policy_action"] == "decline"
    assert small["score"] < 0.1
    assert large["score"] > 0.9


def test_every_source_offset_is_accounted_for_by_the_log_alone(core: ScorerCore) -> None:
    again = payment(2)
    records = [
        payment(0),
        record(1, b"not json", b"k"),
        again,
        again._replace(offset=3),
        payment(4, card_id="other", event_id="e2", partition=0),
        record(6, encoded(6)[1], b"wrong key"),
        payment(8, event_time="2026-01-07T00:00:00Z"),
    ]
    result = core.step(records, COLD)
    batch, meta = decode_log(result.log[0].message)
    assert (meta.first_offset, meta.next_offset) == (0, 9)
    assert batch.column("source_offset").to_pylist() == [0, 2]
    assert meta.duplicates == [3]
    assert meta.dead_letters == [1, 4, 6, 8]
    reasons = [refused.reason for refused in result.refused]
    assert reasons == ["not_json", "id_reused", "wrong_key", "future_event"]
    assert result.positions == {0: Position(9)}


def test_a_batch_of_nothing_but_garbage_still_moves_the_log_and_the_offsets(core: ScorerCore) -> None:
    result = core.step([record(0, b"{", None), record(1, None, None)], COLD)
    batch, meta = decode_log(result.log[0].message)
    assert batch.num_rows == 0
    assert (meta.dead_letters, meta.next_offset) == ([0, 1], 2)
    assert result.positions == {0: Position(2)}
    assert result.decided == []


def test_the_log_has_the_declared_columns_and_one_message_per_partition(
    core: ScorerCore, pipeline: Pipeline
) -> None:
    result = core.step([payment(n) for n in range(10)], COLD)
    assert sorted(log.partition for log in result.log) == [0, 1]
    for log in result.log:
        batch, _ = decode_log(log.message)
        assert batch.schema.remove_metadata().equals(log_schema(pipeline))
        assert batch.num_rows == 5


def test_a_step_that_is_rolled_back_and_done_again_says_the_same(core: ScorerCore) -> None:
    core.step([payment(n) for n in range(40)], COLD)
    core.commit()
    again = [payment(n) for n in range(40, 120)]
    first = core.step(again, COLD)
    core.rollback()
    second = core.step(again, COLD)
    assert [log.message for log in first.log] == [log.message for log in second.log]


def test_state_restored_from_the_log_gives_the_features_of_an_uninterrupted_run(pipeline: Pipeline) -> None:
    whole, first = new_core(pipeline), new_core(pipeline)
    history, rest = [payment(n) for n in range(200)], [payment(n) for n in range(200, 300)]
    whole.step(history, COLD)
    whole.commit()
    logs = [decode_log(log.message)[0] for log in first.step(history, COLD).log]
    expected = whole.step(rest, COLD)

    fresh = new_core(pipeline)
    assert replay(fresh, pipeline, logs) == 200
    for partition, end in ((0, 199), (1, 200)):
        fresh.restored(partition, end)
    found = fresh.step(rest, COLD)
    _assert_same_rows(found, expected)


def test_a_log_that_is_too_large_is_split_without_losing_an_offset(pipeline: Pipeline) -> None:
    core = new_core(pipeline)
    core._log = LogWriter(pipeline, max_bytes=20_000)
    records = [payment(n, partition=0) for n in range(0, 200, 2)]
    records[7] = record(records[7].offset, b"{", None)
    result = core.step(records, COLD)
    parts = [decode_log(log.message) for log in result.log]
    assert len(parts) > 2
    borders = [(meta.first_offset, meta.next_offset) for _, meta in parts]
    assert borders[0][0] == 0
    assert borders[-1][1] == 199
    assert all(left[1] == right[0] for left, right in itertools.pairwise(borders))
    seen: list[Any] = [offset for batch, _ in parts for offset in batch.column("source_offset").to_pylist()]
    dead = [offset for _, meta in parts for offset in meta.dead_letters]
    assert sorted([*seen, *dead]) == [r.offset for r in records]


def _assert_same_rows(found: StepResult, expected: StepResult) -> None:
    for mine, theirs in zip(found.log, expected.log, strict=True):
        left, right = decode_log(mine.message)[0].to_pylist(), decode_log(theirs.message)[0].to_pylist()
        assert left == right


def test_a_policy_is_named_in_the_log_and_its_rule_s_queue_in_the_decision(pipeline: Pipeline) -> None:
    core = new_core(pipeline)
    large = PolicyRule("large", "amount > 400", "review", queue="seniors")
    policy = compile_policy(pipeline, document_of(pipeline, rules=[large]), 17)
    result = core.step([payment(1), payment(3, amount=450)], COLD, policy=policy)
    small, queued = decisions(result)
    assert "queue" not in small
    assert (queued["policy_action"], queued["rules"], queued["queue"]) == ("review", ["large"], "seniors")
    assert {decode_log(logged.message)[1].policy_offset for logged in result.log} == {17}


def test_the_log_keeps_the_trace_of_what_more_may_be_said_of(pipeline: Pipeline, core: ScorerCore) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    trace = (("traceparent", parent.encode()),)
    approved = payment(2, 0)._replace(trace=trace)
    stopped = payment(4, 0, amount=450, country="FR")
    traced = payment(6, 0, amount=450, country="FR")._replace(trace=trace)
    (log,) = core.step([approved, stopped, traced], COLD).log
    assert decode_log(log.message)[1].traces == {6: [parent]}
    small = ScorerCore(pipeline, StreamClock())
    small.add_partition(0, 0)
    small._log = LogWriter(pipeline, max_bytes=1_000)
    parts = [decode_log(each.message)[1] for each in small.step([approved, stopped, traced], COLD).log]
    assert len(parts) > 1
    assert [meta.traces for meta in parts if meta.traces] == [{6: [parent]}]
    assert all(meta.first_offset <= 6 < meta.next_offset for meta in parts if meta.traces)


def test_a_step_leaves_nothing_behind_in_memory(core: ScorerCore, pipeline: Pipeline) -> None:
    champion = load_champion(*small_model(pipeline, "m1"), pipeline.feature_vector)
    numbers = itertools.count()

    def tracked_after(steps: int) -> int:
        for _ in range(steps):
            core.step([payment(next(numbers)) for _ in range(10)], Acting(4, champion))
            core.commit()
        gc.collect()
        return len(gc.get_objects())

    before = tracked_after(20)
    assert tracked_after(50) - before < 50
