"""Features that are newer than the snapshots, and feature logs that do not reach back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feature_store.errors import StateError
from feature_store.snapshots import PartitionPosition, capture
from tests.support.payments import private_pipeline, shipped_tree
from tests.support.takeover import logged
from tests.support.takeover_declared import ACTING, FRAUDS, NEW, SPREAD, declared, objects

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import EventDict

    from feature_store.declaration.pipeline import Pipeline
    from tests.support.takeover_declared import WorldOf


def test_features_declared_later_are_filled_from_the_log(
    one: Pipeline, tmp_path: Path, world_of: WorldOf, said: list[EventDict]
) -> None:
    world = world_of(one)
    first = world.kept()
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
    first = world.kept()
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
    first = world.kept()
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
    world.kept()
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
