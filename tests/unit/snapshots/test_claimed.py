"""Without transactions: who was given up may write on, and nothing of it is seen in what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feature_store.claims import Claims
from feature_store.errors import StateError
from feature_store.log import decode_log
from streams.scorer.records import Position
from tests.support.takeover import Worker
from tests.support.takeover_declared import FRAUDS, SPREAD, TERMINALS, declared, rejections

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import EventDict

    from feature_store.declaration.pipeline import Pipeline
    from tests.support.takeover import World
    from tests.support.takeover_declared import WorldOf

DELIVERY = {"serving": {"delivery": "at_least_once"}}


@pytest.fixture(params=["per partition", "over all partitions"])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Pipeline:
    extra = [TERMINALS] if request.param == "over all partitions" else []
    return declared(tmp_path, FRAUDS, SPREAD, *extra, **DELIVERY)


def assert_every_offset_once(world: World) -> None:
    """What counts of the log accounts for every event once, in order."""
    for partition, messages in world.log.messages.items():
        claims, end = Claims(), 0
        for offset, message in sorted(messages.items()):
            meta = decode_log(message)[1]
            if not claims.superseded(partition, offset, meta) and not meta.makes_claim:
                assert meta.first_offset == end
                end = meta.next_offset
        assert end == world.uninterrupted.positions[partition]


def test_what_the_log_has_is_not_decided_again_wherever_the_offsets_stand(
    pipeline: Pipeline, world_of: WorldOf
) -> None:
    world = world_of(pipeline)
    world.feed(world.worker())
    world.committed = {p: Position(0, 0, at.claim) for p, at in world.committed.items()}
    second = world.worker()
    assert second.core.positions == world.uninterrupted.positions
    assert second.core.outcomes == world.uninterrupted.outcomes
    world.feed(second)
    assert_every_offset_once(world)


def test_without_any_offset_the_log_still_says_where_to_go_on(pipeline: Pipeline, world_of: WorldOf) -> None:
    world = world_of(pipeline)
    world.feed(world.worker())
    world.committed.clear()  # as when they expire
    world.feed(world.worker())
    assert_every_offset_once(world)


def test_what_is_written_behind_a_claim_changes_nothing(pipeline: Pipeline, world_of: WorldOf) -> None:
    world = world_of(pipeline)
    zombie = world.worker()
    world.feed(zombie)
    second = world.worker()
    for _ in range(3):
        with world.given_up():
            zombie.step(world.events(30), world.deltas(2))
        world.feed(second, steps=1)
    third = world.worker()
    assert third.core.positions == world.uninterrupted.positions
    world.feed(third)
    assert_every_offset_once(world)


def test_what_is_written_before_a_claim_counts(pipeline: Pipeline, world_of: WorldOf) -> None:
    """The old owner writes when the new one is in the group, but has not written its claim."""
    world = world_of(pipeline)
    old = world.worker()
    world.feed(old)
    new = Worker(world, pipeline)
    new.claimed = lambda: world.feed(old, steps=1)  # type: ignore[method-assign]
    new.take_over(world.partitions)
    assert new.core.positions == world.uninterrupted.positions
    world.feed(new)
    assert_every_offset_once(world)


def test_snapshots_of_who_was_given_up_are_passed_over(
    pipeline: Pipeline, world_of: WorldOf, said: list[EventDict]
) -> None:
    world = world_of(pipeline)
    zombie = world.worker()
    world.feed(zombie)
    second = world.worker()
    with world.given_up():
        zombie.step(world.events(60), world.deltas(2))
        zombie.keep()
    world.feed(second)
    world.feed(world.worker())
    assert any("written by a scorer that had been given up" in why for why in rejections(said))
    assert_every_offset_once(world)


def test_snapshots_from_before_another_claim_are_used(
    pipeline: Pipeline, world_of: WorldOf, said: list[EventDict]
) -> None:
    world = world_of(pipeline)
    world.kept()
    for _ in range(3):
        world.feed(world.worker(), steps=1)
    assert rejections(said) == []
    assert any(line["event"] == "snapshot_taken" for line in said)
    assert_every_offset_once(world)


def test_of_two_with_one_number_the_first_in_the_log_holds_and_the_other_claims_again(
    pipeline: Pipeline, world_of: WorldOf
) -> None:
    world = world_of(pipeline)
    zombie = world.worker()
    world.feed(zombie)
    world.committed = {p: at._replace(claim=0) for p, at in world.committed.items()}  # a lost note
    second = world.worker()
    assert {second.core.claim_of(p).number for p in world.partitions} == {2}
    world.feed(second)
    assert_every_offset_once(world)


def test_transactions_again_begin_with_a_claim_too(tmp_path: Path, world_of: WorldOf) -> None:
    world = world_of(declared(tmp_path, FRAUDS, SPREAD, **DELIVERY))
    world.feed(world.worker())
    exactly_once = declared(tmp_path, FRAUDS, SPREAD)
    for _ in range(2):
        world.feed(world.worker(pipeline=exactly_once), steps=2)
    assert {at.claim for at in world.committed.values()} == {3}
    assert_every_offset_once(world)


def test_a_claim_of_which_the_group_knows_nothing_is_found_in_the_log(
    tmp_path: Path, world_of: WorldOf
) -> None:
    """Whoever sets offsets by hand sets them without the note: what follows must count all the same."""
    world = world_of(declared(tmp_path, FRAUDS, SPREAD, **DELIVERY))
    world.feed(world.worker())
    held, known = world.uninterrupted.positions, world.uninterrupted.outcomes
    world.committed = {p: Position(at, known[p].offset) for p, at in held.items()}
    exactly_once = declared(tmp_path, FRAUDS, SPREAD)
    for _ in range(2):
        world.feed(world.worker(pipeline=exactly_once), steps=2)
    assert {at.claim for at in world.committed.values()} == {3}
    assert_every_offset_once(world)


def test_an_offset_set_before_the_end_of_a_claimed_log_is_refused(tmp_path: Path, world_of: WorldOf) -> None:
    world = world_of(declared(tmp_path, FRAUDS, SPREAD, **DELIVERY))
    world.feed(world.worker(), steps=1)
    middle = world.uninterrupted.positions
    world.feed(world.worker(), steps=1)
    world.committed = {p: Position(at) for p, at in middle.items()}
    with pytest.raises(StateError, match=f"goes on to {world.uninterrupted.positions[0]}"):
        world.worker(pipeline=declared(tmp_path, FRAUDS, SPREAD))


def test_a_pipeline_that_had_transactions_goes_on_without(tmp_path: Path, world_of: WorldOf) -> None:
    world = world_of(declared(tmp_path, FRAUDS, SPREAD))
    world.feed(world.worker())
    world.feed(world.worker(pipeline=declared(tmp_path, FRAUDS, SPREAD, **DELIVERY)))
    assert_every_offset_once(world)


def test_a_log_that_was_made_anew_is_refused(tmp_path: Path, world_of: WorldOf) -> None:
    world = world_of(declared(tmp_path, FRAUDS, **DELIVERY))
    world.feed(world.worker(), steps=10)
    for partition in world.partitions:
        world.log.messages[partition].clear()
        world.log.low[partition] = world.log.high[partition] = 0
    world.committed = dict.fromkeys(world.partitions, Position(100, 0, 1))
    with pytest.raises(StateError, match="holds nothing of it, and no snapshot does"):
        world.worker()
