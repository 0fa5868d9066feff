"""A consumer group's generations, without a network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streams.broker.embedded.answering import ErrorCode, RefusedError
from streams.broker.embedded.groups import Group, State

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def joining(member: str = "", protocols: tuple[str, ...] = ("range",)) -> dict[str, Any]:
    return {
        "member_id": member, "client_id": "c", "protocol_type": "consumer",
        "session_timeout": 6000, "rebalance_timeout": 9000,
        "protocols": [{"name": name, "metadata": b"m"} for name in protocols],
    }  # fmt: skip


def request(joined: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a request of a member in the generation that it has joined."""
    return {"member_id": joined["member_id"], "generation": joined["generation"], **more}


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


def joins(group: Group, *requests: dict[str, Any]) -> list[asyncio.Task[dict[str, Any]]]:
    return [asyncio.ensure_future(group.join(one)) for one in requests]


async def stable_pair(group: Group) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what two members of a stable group were told when they joined; the first leads."""
    first = await group.join(joining())
    late = asyncio.ensure_future(group.join(joining()))
    await asyncio.sleep(0)
    leader = await group.join(joining(first["member_id"]))
    follower = await late
    shares = [{"member_id": one["member_id"], "assignment": b"x"} for one in (leader, follower)]
    await group.sync(request(leader, assignments=shares))
    return leader, follower


@in_a_loop
async def test_the_leader_gets_the_members_and_brings_the_assignments() -> None:
    group = Group()
    leader, follower = await stable_pair(group)
    assert [len(leader["members"]), len(follower["members"])] == [2, 0]
    assert leader["generation"] == follower["generation"] == 2
    synced = await group.sync(request(follower, assignments=[]))
    assert (group.state, synced["assignment"]) == (State.STABLE, b"x")


@in_a_loop
async def test_members_that_went_silent_are_removed_together() -> None:
    group = Group()
    await stable_pair(group)
    for member in group.members.values():
        member.deadline = 0
    group.expire()
    assert (group.state, group.members) == (State.EMPTY, {})


@in_a_loop
async def test_one_silent_member_makes_the_other_join_anew() -> None:
    group = Group()
    leader, follower = await stable_pair(group)
    group.members[leader["member_id"]].deadline = 0
    group.expire()
    with pytest.raises(RefusedError) as refused:
        group.heartbeat(request(follower))
    assert refused.value.code == ErrorCode.REBALANCE_IN_PROGRESS
    again = await group.join(joining(follower["member_id"]))
    assert (again["leader"], again["generation"]) == (follower["member_id"], 3)


@in_a_loop
async def test_who_does_not_join_in_time_is_left_behind() -> None:
    group = Group()
    leader, follower = await stable_pair(group)
    (waiting,) = joins(group, joining(leader["member_id"]))
    await asyncio.sleep(0)
    group.members[follower["member_id"]].join_by = 0
    with pytest.raises(RefusedError):
        group.heartbeat(request(follower))  # alive, but that is not joining
    group.expire()
    assert (await waiting)["generation"] == 3
    with pytest.raises(RefusedError) as refused:
        group.check_commit(request(follower), transactional=True)
    assert refused.value.code == ErrorCode.UNKNOWN_MEMBER_ID


@in_a_loop
async def test_a_stale_generation_is_refused_everywhere() -> None:
    group = Group()
    leader, _ = await stable_pair(group)
    stale = request(leader, assignments=[]) | {"generation": 1}
    for late in (
        lambda: group.heartbeat(stale),
        lambda: group.check_commit(stale, transactional=True),
        lambda: group.check_commit(stale, transactional=False),
    ):
        with pytest.raises(RefusedError) as refused:
            late()
        assert refused.value.code == ErrorCode.ILLEGAL_GENERATION


@in_a_loop
async def test_members_need_one_protocol_in_common() -> None:
    group = Group()
    joins(group, joining(protocols=("a", "b")), joining(protocols=("b", "c")))
    await asyncio.sleep(0)
    with pytest.raises(RefusedError) as refused:
        await group.join(joining(protocols=("a", "c")))
    assert refused.value.code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
