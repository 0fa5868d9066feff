"""When scorers keep their state, and when not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.errors import StorageError
from tests.support.takeover_declared import ACTING, FRAUDS, NEW, declared, objects

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from feature_store.declaration.pipeline import Pipeline
    from tests.support.takeover_declared import WorldOf


def test_a_stop_in_order_leaves_nothing_to_replay(pipeline: Pipeline, world_of: WorldOf) -> None:
    world = world_of(pipeline)
    first = world.worker()
    world.feed(first)
    first.snapshots.finish()
    second = world.worker([])
    assert second.take_over(world.partitions).events == 0
    world.feed(second)


def test_who_holds_nothing_keeps_nothing(pipeline: Pipeline, world_of: WorldOf) -> None:
    world = world_of(pipeline)
    idle = world.worker([])
    idle.keep()
    idle.snapshots.finish()
    idle.hand_over([])
    assert objects(world) == []


def test_a_partition_without_a_log_is_not_kept_and_has_no_history(
    one: Pipeline, tmp_path: Path, world_of: WorldOf
) -> None:
    world = world_of(one)
    first = world.worker([0, 1])
    world.feed(first)
    second = world.worker([2])
    first.keep()
    second.keep()
    first.hand_over([0])
    second.take_over([0])
    second.keep()
    assert not [name for name in objects(world) if "partition-2" in name]
    world.feed(first, second)
    second.snapshots.finish()
    assert set(world.worker(pipeline=declared(tmp_path, FRAUDS, NEW)).core.history.values()) == {0}


def test_what_did_not_change_is_not_kept_again(one: Pipeline, world_of: WorldOf) -> None:
    world = world_of(one)
    first = world.kept()
    before = objects(world)
    first.keep()
    first.snapshots.finish()
    first.snapshots.hand_over([0, 1, 2])
    assert objects(world) == before
    again = world.worker()
    again.keep()
    assert objects(world) == before


def test_outcomes_alone_are_a_change(one: Pipeline, world_of: WorldOf) -> None:
    world = world_of(one)
    first = world.kept()
    before = len(objects(world))
    deltas = world.deltas(60, [1])
    assert deltas
    first.step([], deltas)
    world.uninterrupted.step([], ACTING, deltas)
    world.uninterrupted.commit()
    first.keep()
    assert len(objects(world)) == before + 1
    world.feed(world.worker())


def test_one_state_a_turn_and_none_before_its_time(one: Pipeline, world_of: WorldOf) -> None:
    world = world_of(one)
    first = world.worker()
    world.feed(first)
    first.snapshots.turn()
    first.snapshots._writer.wait()
    assert objects(world) == []
    world.time.seconds += one.serving.snapshots.every / 1e6
    for count in (1, 2, 3, 3):
        first.snapshots.turn()
        first.snapshots._writer.wait()
        assert len(objects(world)) == count


def test_a_failing_store_alerts_and_scoring_goes_on(
    one: Pipeline, world_of: WorldOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(one)
    first = world.worker()
    world.feed(first)

    def full(*_: Any) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(world.folder, "put", full)
        first.keep()
    assert (
        first.alerts
        == ["snapshot_not_written: the disk is full; scoring goes on, a restart would read more of the log"]
        * 3
    )
    first.keep()
    assert len(objects(world)) == 3
    world.feed(first)
    first.keep()
    assert len(objects(world)) == 6
