"""What sink workers write is in the store as if the keeper had read it: once, whoever was killed when."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feature_store.errors import StorageError
from streams.kafka import plain_producer
from tests.unit.keeper.past import delta_rows
from tests.unit.keeper.sink.sinking import ask, catch_up, outcome
from tests.unit.keeper.sink.working import Working, taken_up_to_the_ends, with_workers
from tests.unit.keeper.test_routing import counting_frauds
from tests.unit.keeper.written import (
    MINUTE,
    START,
    TwoClaims,
    event_id,
    log_message,
    until,
    write_batches,
    write_outcomes,
)
from training.keeper.store import STORE
from training.sink import worker as worker_module
from training.sink.folder import TAKEN

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from tests.unit.keeper.sink.sinking import NewSink
    from tests.unit.keeper.sink.working import NewWorker
    from training.keeper.parts import Parts
    from training.keeper.sink import Sink

FILLED = ("scored", "deltas", "batches", "decisions", "amendments", "definitions", "late_events", "outcomes",
          "outbox", "waiting")  # fmt: skip


def stored(parts: Parts) -> dict[str, list[str]]:
    """Every row of every table that the sink fills."""
    return {table: sorted(map(str, ask(parts, f"FROM {table}"))) for table in FILLED}


def files_of(working: Working) -> list[str]:
    """What is in the folder."""
    return [file.name for file in working.folder.path.iterdir()]


def assert_once(parts: Parts, events: int) -> None:
    once = [(events, events)]
    for table in ("scored", "decisions"):
        distinct = "count(DISTINCT (source_partition, source_offset))"
        assert ask(parts, f"SELECT count(*), {distinct} FROM {table}") == once  # noqa: S608
    assert ask(parts, "SELECT sum(row_count), sum(next_offset - first_offset) FROM batches") == once


def test_the_store_is_the_same_as_without_workers(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str, tmp_path: Path
) -> None:
    declared = counting_frauds(pipeline)
    following = write_batches(declared, bootstrap, 0, batches=3, size=40)
    kafka = plain_producer(bootstrap)
    learnt = delta_rows(declared, event_id(0, 5), event_id(0, 6)).to_batches()[0]
    for deltas, late in ((learnt, False), (None, True)):
        message = log_message(declared, 0, following, 7, deltas, late=late)
        kafka.produce(declared.topics.features, value=message, partition=0)
        following += 7
    assert kafka.flush(30) == 0
    said = [outcome(event_id(0, 3)), outcome(event_id(1, 70)), outcome("never seen"), b"no outcome"]
    write_outcomes(declared, bootstrap, said, START + 500 * MINUTE)
    sink, parts = new_sink(declared)
    catch_up(sink, parts)
    alone, now = stored(parts), parts.clock.now()
    (tmp_path / STORE).rename(tmp_path / "alone.duckdb")
    sink, parts = new_sink(with_workers(declared))
    worker = new_worker(declared)
    taken_up_to_the_ends(sink, parts, worker)
    assert stored(parts) == alone
    assert {table: len(rows) for table, rows in alone.items() if rows} == {
        "scored": 254, "deltas": 2, "batches": 8, "decisions": 240, "definitions": 3, "outcomes": 3,
        "outbox": 2, "waiting": 1,
    }  # fmt: skip
    assert parts.clock.now() == now
    assert files_of(worker) == [TAKEN]


def test_late_events_wait_to_be_amended_under_what_their_message_says(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str
) -> None:
    features = pipeline.features.model_copy(update={"late": "amend"})
    amending = with_workers(pipeline.model_copy(update={"features": features}))
    kafka = plain_producer(bootstrap)
    for first, late in ((0, False), (5, True)):
        message = log_message(pipeline, 1, first, 5, policy_offset=first, late=late)
        kafka.produce(pipeline.topics.features, value=message, partition=1)
    assert kafka.flush(30) == 0
    sink, parts = new_sink(amending)
    taken_up_to_the_ends(sink, parts, new_worker())
    found = "SELECT source_partition, source_offset, policy_offset, settled FROM late_events ORDER BY ALL"
    assert ask(parts, found) == [(1, offset, 5, None) for offset in range(5, 10)]
    assert parts.late_came.is_set()


_EACH = 9
"""Steps that are tried one by one."""


class _PowerCut:
    """The n-th time that something is to be safe on disk, the process dies."""

    def __init__(self) -> None:
        self.left = -1
        self._fsync = os.fsync

    def __call__(self, file: int) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError("power cut")
        self._fsync(file)


def test_a_worker_killed_at_any_step_leaves_no_gap_and_no_row_twice(
    new_sink: NewSink,
    new_worker: NewWorker,
    pipeline: Pipeline,
    bootstrap: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink, parts = new_sink(with_workers(pipeline))
    cut = _PowerCut()
    monkeypatch.setattr(os, "fsync", cut)
    killed, step, worker = 0, 1, new_worker()
    following = write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    while _dies(worker, parts, cut, step):  # and later the next time
        killed += 1
        step += 1 if step < _EACH else 4
        worker.close()
        sink.step()
        assert ask(parts, "SELECT count(*) - count(DISTINCT event_id) FROM decisions") == [(0,)]
        following = write_batches(pipeline, bootstrap, following, batches=1, size=10)
        worker = new_worker()
    taken_up_to_the_ends(sink, parts, worker)
    assert_once(parts, 2 * following)
    assert files_of(worker) == [TAKEN]
    assert killed > _EACH  # a file, the folder, the manifest, the folder again: of both kinds


def _dies(worker: Working, parts: Parts, cut: _PowerCut, step: int) -> bool:
    """Whether the worker dies at the step, or writes all that there is in fewer."""
    ends = parts.ends()
    cut.left = step
    try:
        until(lambda: _written(worker, ends), worker.worker.turn)
    except StorageError as error:
        return "power cut" in str(error)
    finally:
        cut.left = -1
    return False


def _with_a_batch_in_files(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str
) -> tuple[Sink, Parts, Working]:
    """A keeper beside a worker that has written down all there is; the keeper has taken nothing yet."""
    sink, parts = new_sink(with_workers(pipeline))
    worker = new_worker()
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    until(lambda: _written(worker, parts.ends()), worker.worker.turn)
    return sink, parts, worker


def _written(working: Working, ends: dict[tuple[str, int], int]) -> bool:
    reached = working.reached()
    return all(reached.get(at, 0) >= end for at, end in ends.items() if at[0] in working.topics)


@pytest.mark.parametrize("point", ["_move", "tell_taken", "clear", "unlink"])
def test_a_keeper_killed_at_any_step_takes_nothing_twice(
    new_sink: NewSink,
    new_worker: NewWorker,
    pipeline: Pipeline,
    bootstrap: str,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    declared = with_workers(pipeline)
    sink, parts = new_sink(declared)
    write_batches(pipeline, bootstrap, 0, batches=3, size=10)
    worker = new_worker()
    until(lambda: _written(worker, parts.ends()), worker.worker.turn)

    def power_cut(*_: Any, **__: Any) -> None:
        raise OSError("power cut")

    target: Any = {"_move": sink, "unlink": Path}.get(point, type(worker.folder))
    with monkeypatch.context() as patched:
        patched.setattr(target, point, power_cut)
        with pytest.raises(OSError, match="power cut"):
            until(lambda: False, sink.step)
    sink, parts = new_sink(declared)
    assert len(ask(parts, "FROM scored")) == (0 if point == "_move" else 60)
    write_batches(pipeline, bootstrap, 30, batches=1, size=10)
    taken_up_to_the_ends(sink, parts, worker)
    assert_once(parts, 80)
    assert files_of(worker) == [TAKEN]


def test_stretches_that_overlap_are_taken_from_the_keepers_offset_on(
    new_sink: NewSink,
    new_worker: NewWorker,
    pipeline: Pipeline,
    bootstrap: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a worker was given up that lived on: another wrote the same, cut otherwise."""
    declared = with_workers(pipeline)
    sink, parts = new_sink(declared)
    first, second = new_worker(), None
    write_batches(pipeline, bootstrap, 0, batches=1, size=10)
    until(lambda: _written(first, parts.ends()), first.worker.turn)
    first.close()
    hidden = first.folder.path.parent / "hidden"
    hidden.mkdir()
    for file in set(files_of(first)) - {TAKEN}:
        (first.folder.path / file).rename(hidden / file)
    write_batches(pipeline, bootstrap, 10, batches=2, size=10)
    second = new_worker()
    until(lambda: _written(second, parts.ends()), second.worker.turn)
    for path in hidden.iterdir():
        path.rename(first.folder.path / path.name)
    monkeypatch.setattr(
        "training.keeper.handed._next",  # the shorter ones first, so that the longer are taken in part
        lambda names, at: min(
            (each for each in names if each.first <= at < each.next), key=lambda each: each.next, default=None
        ),
    )
    taken_up_to_the_ends(sink, parts, second)
    assert_once(parts, 60)


def test_what_a_given_up_scorer_wrote_and_repeated_decisions_are_passed_over(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str
) -> None:
    claims = TwoClaims(pipeline, bootstrap)
    claims.taken_over()
    declared = with_workers(pipeline)
    sink, parts = new_sink(declared)
    worker = new_worker()
    taken_up_to_the_ends(sink, parts, worker)
    sink, parts = new_sink(declared)
    claims.repeated()
    taken_up_to_the_ends(sink, parts, worker)
    assert_once(parts, 20)


def test_where_the_keeper_has_gone_back_what_it_lacks_is_written_again(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str, tmp_path: Path
) -> None:
    declared = with_workers(pipeline)
    sink, parts = new_sink(declared)
    worker = new_worker()
    following = write_batches(pipeline, bootstrap, 0, batches=2, size=10)
    taken_up_to_the_ends(sink, parts, worker)
    (tmp_path / STORE).unlink()  # as if an empty one had been restored
    sink, parts = new_sink(declared)
    write_batches(pipeline, bootstrap, following, batches=1, size=10)
    taken_up_to_the_ends(sink, parts, worker)
    assert_once(parts, 60)


def test_two_workers_share_the_partitions_and_one_goes_on_for_the_other(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str
) -> None:
    sink, parts = new_sink(with_workers(pipeline))
    one, other = new_worker(), new_worker()
    until(lambda: one.worker.partitions == other.worker.partitions == 2, lambda: _turn(one, other))
    following = write_batches(pipeline, bootstrap, 0, batches=3, size=10)
    taken_up_to_the_ends(sink, parts, one, other)
    assert one.worker.records > 0
    assert other.worker.records > 0
    one.close()
    write_batches(pipeline, bootstrap, following, batches=3, size=10)
    taken_up_to_the_ends(sink, parts, other)
    assert_once(parts, 120)


def _turn(*workers: Working) -> None:
    for each in workers:
        each.worker.turn()


def test_a_worker_waits_where_the_keeper_does_not_take(
    new_sink: NewSink,
    new_worker: NewWorker,
    pipeline: Pipeline,
    bootstrap: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "_MOST_AHEAD", 2)
    sink, parts = new_sink(with_workers(pipeline))
    worker = new_worker()
    following = 0
    for _ in range(4):
        following = write_batches(pipeline, bootstrap, following, batches=1, size=10)
        for _ in range(4):
            worker.worker.turn()
    waiting = worker.folder.stretches().values()
    assert max(len(names) for names in waiting) == 2
    assert not _written(worker, parts.ends())
    taken_up_to_the_ends(sink, parts, worker)
    assert_once(parts, 80)


def test_a_damaged_stretch_is_refused_and_written_again_once_its_manifest_is_gone(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str
) -> None:
    declared = with_workers(pipeline)
    sink, parts, worker = _with_a_batch_in_files(new_sink, new_worker, pipeline, bootstrap)
    torn = next(worker.folder.path.glob("features-00001-*.scored.parquet"))
    torn.write_bytes(torn.read_bytes()[:-100])
    with pytest.raises(
        StorageError,
        match=rf"{torn.name}: has \d+ bytes, its manifest says \d+; remove features-00001-.*json",
    ):
        until(lambda: False, sink.step)
    sink, parts = new_sink(declared)
    for manifest in worker.folder.path.glob("features-00001-*.json"):
        manifest.unlink()
    taken_up_to_the_ends(sink, parts, worker)
    assert_once(parts, 20)


def test_a_stretch_with_another_byte_in_it_is_refused_before_it_is_read(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str
) -> None:
    sink, parts, worker = _with_a_batch_in_files(new_sink, new_worker, pipeline, bootstrap)
    altered = next(worker.folder.path.glob("features-00001-*.scored.parquet"))
    data = bytearray(altered.read_bytes())
    data[len(data) // 2] ^= 1
    altered.write_bytes(data)
    with pytest.raises(StorageError, match=rf"{altered.name}: its bytes are not those that were written"):
        until(lambda: False, sink.step)
    assert parts.store.execute("SELECT count(*) FROM scored").fetchall() == [(0,)]


def test_files_of_another_cluster_or_a_newer_version_are_refused(
    new_sink: NewSink, new_worker: NewWorker, pipeline: Pipeline, bootstrap: str
) -> None:
    sink, _, worker = _with_a_batch_in_files(new_sink, new_worker, pipeline, bootstrap)
    manifest = next(worker.folder.path.glob("decisions-00000-*.json"))
    good = msgspec.json.decode(manifest.read_bytes())
    for wrong, why in (
        ({"cluster": "another"}, "on another Kafka cluster"),
        ({"format": 2}, "of format 2, this sluicegate knows 1"),
    ):
        manifest.write_bytes(msgspec.json.encode(good | wrong))
        with pytest.raises(StorageError, match=why):
            until(lambda: False, sink.step)
    taken = worker.folder.path / TAKEN
    taken.write_bytes(msgspec.json.encode(msgspec.json.decode(taken.read_bytes()) | {"format": 2}))
    with pytest.raises(StorageError, match="of format 2, this sluicegate knows 1"):
        worker.worker.turn()
    manifest.write_bytes(b"{}")
    with pytest.raises(StorageError, match="no manifest of a stretch"):
        until(lambda: False, sink.step)
