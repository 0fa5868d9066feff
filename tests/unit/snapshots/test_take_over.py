"""Whatever happens to scorers and snapshots, features are those of a scorer that was never interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from feature_store.errors import StorageError
from tests.support.takeover import Worker
from tests.support.takeover_declared import TERMINALS, declared, objects, rejections

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import EventDict

    from feature_store.declaration.pipeline import Pipeline
    from tests.support.takeover_declared import WorldOf


def test_a_snapshot_and_what_followed_it_are_the_state(pipeline: Pipeline, world_of: WorldOf) -> None:
    world = world_of(pipeline)
    first = world.kept()
    world.feed(first, steps=2)
    world.log.reads.clear()
    second = world.worker()
    world.feed(second)
    asked, read = world.log.reads[:2]
    assert all(high == low + 1 for low, high in asked.values())
    assert all(read[p][0] == low + 1 for p, (low, _) in asked.items())
    assert second.core.positions == world.uninterrupted.positions
    assert second.core.outcomes == world.uninterrupted.outcomes


def test_without_a_snapshot_the_whole_log_is_the_state(pipeline: Pipeline, world_of: WorldOf) -> None:
    world = world_of(pipeline)
    world.feed(world.worker())
    world.feed(world.worker())
    assert objects(world) == []


def test_one_that_a_transaction_of_another_still_hides_is_waited_for(
    pipeline: Pipeline, world_of: WorldOf, said: list[EventDict]
) -> None:
    """A scorer that was killed leaves one open; what was committed behind it is seen when Kafka ends it."""
    world = world_of(pipeline)
    first = world.worker()
    world.feed(first)
    killed = dict(world.log.high)
    world.feed(first)
    first.snapshots.finish()
    world.log.stable = {partition: iter([end] * 3) for partition, end in killed.items()}
    second = Worker(world, pipeline)
    assert second.take_over(world.partitions).events == 0
    assert rejections(said) == []
    world.feed(second)


@pytest.mark.parametrize("kept", [0, 7, 400, -1])
def test_a_torn_newest_one_is_passed_over_for_an_older(
    pipeline: Pipeline, world_of: WorldOf, said: list[EventDict], kept: int
) -> None:
    world = world_of(pipeline)
    first = world.worker()
    for _ in range(2):
        world.feed(first, steps=2)
        first.keep()
    world.feed(first, steps=2)
    torn = [name for name in objects(world) if "/000000000002-" in name]
    for name in torn:
        world.folder.put(name, world.folder.get(name)[:kept])
    world.log.reads.clear()
    world.feed(world.worker())
    assert len(rejections(said)) == len(torn) >= 1
    assert all(low > 0 for low, _ in world.log.reads[1].values())


def test_with_all_of_them_corrupt_the_log_is_enough(
    pipeline: Pipeline, world_of: WorldOf, said: list[EventDict]
) -> None:
    world = world_of(pipeline)
    world.kept()
    for name in objects(world):
        data = bytearray(world.folder.get(name))
        data[len(data) // 2] ^= 4
        world.folder.put(name, bytes(data))
    world.feed(world.worker())
    assert len(rejections(said)) == len(objects(world))


def test_a_store_out_of_reach_is_not_needed_while_the_log_is_whole(
    one: Pipeline, world_of: WorldOf, said: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(one)
    world.kept()

    def no_answer(*_: Any) -> Any:
        raise StorageError("no answer")

    monkeypatch.setattr(world.folder, "list", no_answer)
    world.feed(world.worker())
    assert [line["why"] for line in said if line["event"] == "snapshots_out_of_reach"] == ["no answer"] * 3


def test_partitions_are_handed_over_with_a_snapshot(one: Pipeline, world_of: WorldOf) -> None:
    world = world_of(one)
    first, second = world.worker([0, 1, 2]), world.worker([])
    world.feed(first)
    first.hand_over([1, 2])
    assert [name.split("/")[1] for name in objects(world)] == ["partition-1", "partition-2"]
    found = second.take_over([1, 2])
    assert (found.events, len(found.snapshots)) == (0, 2)
    world.feed(first, second)
    second.hand_over([1])
    first.take_over([1])
    world.feed(second, first)


def test_the_next_owner_may_be_quicker_than_the_snapshot(one: Pipeline, world_of: WorldOf) -> None:
    world = world_of(one)
    first = world.worker()
    world.feed(first)
    late = first.snapshots._capture("partition-1", [1])
    for partition in (0, 1, 2):
        first.core.drop_partition(partition)
    world.kept()
    world.shelf.put(late)
    world.feed(world.worker())


def test_topics_that_were_made_anew_do_not_get_old_state(
    one: Pipeline, world_of: WorldOf, said: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = world_of(one)
    old.kept()
    new = world_of(one)
    new.folder, new.shelf = old.folder, old.shelf
    new.feed(new.worker(), steps=1)
    new._number += 1_000
    new.feed(new.worker(), steps=10)
    new.feed(new.worker())
    why = rejections(said)
    assert any("it stands at event" in each for each in why)
    assert any("is another one than it was taken after" in each for each in why)


def test_a_snapshot_of_other_partitions_is_refused(
    tmp_path: Path, world_of: WorldOf, said: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(declared(tmp_path, TERMINALS))
    first = world.worker()
    world.feed(first)
    whole = first.snapshots._capture("all", [0, 1, 2])
    del whole.positions[2]
    world.shelf.put(whole)
    world.feed(world.worker())
    assert rejections(said) == ["it holds partitions [0, 1], wanted are [0, 1, 2]"]


def test_orders_go_on_after_what_the_last_owner_knew(one: Pipeline, world_of: WorldOf) -> None:
    """What it decided with a batch of all partitions was known after that batch, not after its part of it."""
    world = world_of(one)
    world.feed(world.worker(), steps=1)
    for partition in world.partitions:
        world.feed(world.worker([partition]), steps=1)


@pytest.mark.parametrize("seed", range(6))
def test_any_course_of_events(pipeline: Pipeline, world_of: WorldOf, seed: int) -> None:
    world = world_of(pipeline)
    world.chance.seed(seed)
    worker = world.worker()
    for _ in range(25):
        what = world.chance.choice(["feed", "feed", "keep", "kill", "stop", "tear", "lose"])
        names = objects(world)
        if what == "feed":
            world.feed(worker, steps=world.chance.randrange(1, 4), size=world.chance.choice([1, 5, 40]))
        elif what == "keep":
            worker.keep()
        elif what in {"kill", "stop"}:
            if what == "stop":
                worker.snapshots.finish()
            worker = world.worker()
        elif what == "tear" and names:
            name = world.chance.choice(names)
            data = world.folder.get(name)
            world.folder.put(name, data[: world.chance.randrange(len(data) or 1)])
        elif what == "lose" and names:
            world.folder.delete(world.chance.choice(names))
    world.feed(worker)
    assert worker.core.positions == world.uninterrupted.positions
    assert worker.core.outcomes == world.uninterrupted.outcomes
