"""Whatever happens to scorers and snapshots, features are those of a scorer that was never interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog

from feature_store.errors import StateError, StorageError
from feature_store.snapshots import PartitionPosition, capture
from streams.models.watcher import Acting
from tests.support.payments import private_pipeline, shipped_tree
from tests.support.takeover import EPOCH, World, logged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from structlog.typing import EventDict

    from feature_store.declaration.pipeline import Pipeline

    WorldOf = Callable[[Pipeline], World]

ACTING = Acting(EPOCH, None)
FRAUDS = {"entity": "customer_id", "windows": ["7d"], "frauds": True, "fraud_rate": True, "delay": "1h"}
TERMINALS = {"entity": "terminal_id", "windows": ["24h"], "count": True, "mean": "amount", "fraud_rate": True}
SPREAD = {"entity": "customer_id", "windows": ["7d"], "std": "amount", "distinct": "terminal_id"}
NEW = {"entity": ["customer_id", "merchant_category"], "windows": ["24h"], "count": True, "max": "amount"}


def declared(folder: Path, *windows: dict[str, Any], **changes: Any) -> Pipeline:
    features = shipped_tree()["features"]
    features["windows"] += windows
    return private_pipeline(folder, "unit", features=features, **changes)[1]


@pytest.fixture(params=["per partition", "over all partitions"])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Pipeline:
    extra = [TERMINALS] if request.param == "over all partitions" else []
    return declared(tmp_path, FRAUDS, SPREAD, *extra)


@pytest.fixture
def one(tmp_path: Path) -> Pipeline:
    """State per partition."""
    return declared(tmp_path, FRAUDS)


@pytest.fixture
def world_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Pipeline], World]:
    return lambda pipeline: World(pipeline, monkeypatch)


@pytest.fixture
def said() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def rejections(said: list[EventDict]) -> list[str]:
    return [line["why"] for line in said if line["event"] == "snapshot_rejected"]


def objects(world: World) -> list[str]:
    return world.folder.list(world.pipeline.name)


def test_a_snapshot_and_what_followed_it_are_the_state(pipeline: Pipeline, world_of: WorldOf) -> None:
    world = world_of(pipeline)
    first = world.worker()
    world.feed(first)
    first.keep()
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
    first = world.worker()
    world.feed(first)
    first.keep()
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
    first = world.worker()
    world.feed(first)
    first.keep()

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
    second = world.worker()
    world.feed(second)
    second.keep()
    world.shelf.put(late)
    world.feed(world.worker())


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
    first = world.worker()
    world.feed(first)
    first.keep()
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
    first = world.worker()
    world.feed(first)
    first.keep()
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


def test_topics_that_were_made_anew_do_not_get_old_state(
    one: Pipeline, world_of: WorldOf, said: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = world_of(one)
    first = old.worker()
    old.feed(first)
    first.keep()
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


def test_features_declared_later_are_filled_from_the_log(
    one: Pipeline, tmp_path: Path, world_of: WorldOf, said: list[EventDict]
) -> None:
    world = world_of(one)
    first = world.worker()
    world.feed(first)
    first.keep()
    world.feed(first, steps=2)
    wider = declared(tmp_path, FRAUDS, NEW, {**SPREAD, "windows": ["24h"]})
    second = world.worker(pipeline=wider)
    taken = [line for line in said if line["event"] == "snapshot_taken"]
    assert all(line["filled"] == ["customer_id", "customer_id+merchant_category"] for line in taken)
    assert all("customer_id+card_id" in line["held"] for line in taken)
    beside = world.worker(pipeline=wider, partitions=[])
    beside.world.shelf = None  # type: ignore[assignment]
    beside.take_over(world.partitions)
    for _ in range(5):
        events, deltas = world.events(40), world.deltas(3)
        expected = beside.core.step(events, ACTING, deltas)
        beside.core.commit()
        assert logged(second.step(events, deltas)) == logged(expected)


@pytest.mark.parametrize("kept", [True, False])
def test_known_frauds_of_an_entity_declared_later_are_filled_from_the_log(
    one: Pipeline, tmp_path: Path, world_of: WorldOf, *, kept: bool
) -> None:
    pair = {"entity": ["customer_id", "terminal_id"], "windows": ["7d"], "frauds": True}
    wider = declared(tmp_path, FRAUDS, pair)
    world = world_of(wider)
    first = world.worker(pipeline=one)
    for step in range(6):
        events, deltas = world.events(40), world.deltas(30)
        world.uninterrupted.step(events, ACTING, deltas)
        world.uninterrupted.commit()
        assert all(delta.values is not None for delta in deltas)
        first.step(events, [delta._replace(values=(delta.values or ())[:-1]) for delta in deltas])
        if kept and step == 2:
            first.keep()
    second = world.worker(pipeline=wider)
    world.feed(second)
    rows = logged(second.step(world.events(40))).values()
    assert any(row["customer_id_terminal_id_frauds_7d"] for row in rows)


def test_a_log_that_was_cut_needs_a_snapshot(one: Pipeline, world_of: WorldOf) -> None:
    world = world_of(one)
    first = world.worker()
    world.feed(first)
    first.keep()
    end = first.snapshots._ends[1].offset
    world.feed(first, steps=2)
    world.log.cut(1, end)
    world.feed(world.worker())
    names = [name for name in objects(world) if "partition-1" in name]
    kept = {name: world.folder.get(name) for name in names}
    for name in names:
        world.folder.delete(name)
    with pytest.raises(
        StateError, match=r"features/1: .* counts what is up to .* old, but the feature log begins"
    ):
        world.worker()
    for name, data in kept.items():
        world.folder.put(name, data)
    world.log.cut(1, end + 1)
    with pytest.raises(StateError, match=r"features/1: .* and no snapshot has them"):
        world.worker()


def test_new_features_need_a_log_that_reaches_as_far(
    one: Pipeline, tmp_path: Path, world_of: WorldOf
) -> None:
    world = world_of(one)
    first = world.worker()
    world.feed(first)
    first.keep()
    world.log.cut(1, first.snapshots._ends[1].offset)
    with pytest.raises(StateError, match=r"merchant_category_.*_24h counts what is up to 25h old"):
        world.worker(pipeline=declared(tmp_path, FRAUDS, NEW))


def test_a_cut_log_that_still_reaches_back_is_enough(tmp_path: Path, world_of: WorldOf) -> None:
    features = shipped_tree()["features"]
    features["windows"] = [{"entity": "customer_id", "windows": ["30m"], "count": True, "sum": "amount"}]
    features["lateness"] = "10m"
    decision = shipped_tree()["decision"] | {"rules": [], "cold_start": [], "duplicates": {"window": "1h"}}
    _, pipeline = private_pipeline(tmp_path, "unit", features=features, decision=decision)
    world = world_of(pipeline)
    first = world.worker()
    world.feed(first, steps=12)
    for partition in world.partitions:
        world.log.cut(partition, 4)
    world.feed(world.worker())


def test_a_quiet_partition_whose_log_is_gone_is_known_from_its_snapshot(
    one: Pipeline, world_of: WorldOf
) -> None:
    world = world_of(one)
    first = world.worker()
    world.feed(first)
    first.keep()
    for partition in world.partitions:
        world.log.cut(partition, world.log.high[partition])
    world.feed(world.worker())


def test_history_from_before_the_log_is_taken_over_and_missed_where_no_snapshot_has_it(
    one: Pipeline, tmp_path: Path, world_of: WorldOf
) -> None:
    world = world_of(one)
    past = world.worker()
    world.feed(past, steps=3)
    for partition in world.partitions:
        filters = {partition: past.core.intake.filter_of(partition)}
        positions = {partition: PartitionPosition(0)}
        unit = f"partition-{partition}"
        world.shelf.put(capture(one, unit, past.core.store, filters, positions, past.core.seq))
        world.log.messages[partition].clear()
        world.log.high[partition] = 0
        world._next[partition] = world._next_delta[partition] = 0
    world.committed.clear()
    for partition in world.partitions:
        world.uninterrupted._positions[partition] = 0
        world.uninterrupted._deltas.add_partition(partition)
    with pytest.raises(StateError, match="fill the past in"):  # no event has come since
        world.worker(pipeline=declared(tmp_path, FRAUDS, NEW))
    live = world.worker()
    world.feed(live)
    world.feed(world.worker())
    live = world.worker()
    live.keep()
    assert len(objects(world)) == 6
    for name in objects(world):
        if "/000000000001-" in name:
            world.folder.delete(name)
    world.feed(world.worker())
    with pytest.raises(StateError, match="fill the past in"):
        world.worker(pipeline=declared(tmp_path, FRAUDS, NEW))
    for name in objects(world):
        world.folder.delete(name)
    with pytest.raises(StateError, match="no snapshot has them"):
        world.worker()


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
