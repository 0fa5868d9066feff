"""Consumer groups by the classic protocol: members, generations and committed offsets."""

import asyncio
import math
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from streams.broker.embedded.answering import ErrorCode, RefusedError, answer_partitions, each_partition
from streams.broker.embedded.wire import Message

Offsets = dict[tuple[str, int], tuple[int, str]]  # each with the text committed with it


class State(Enum):
    """Where a group stands: between members, waiting for all to join, for the leader, or at work."""

    EMPTY = auto()
    PREPARING = auto()
    COMPLETING = auto()
    STABLE = auto()


_KAFKA_NAMES = {
    State.EMPTY: "Empty",
    State.PREPARING: "PreparingRebalance",
    State.COMPLETING: "CompletingRebalance",
    State.STABLE: "Stable",
}


@dataclass(eq=False)
class Member:
    """One consumer; `waiting` is its unanswered request to join or to sync.

    A static one has an `instance`: a name that it comes back with.
    """

    id: str
    instance: str | None = None
    client: str = ""
    protocols: dict[str, bytes] = field(default_factory=dict)
    assignment: bytes = b""
    session_s: float = 0
    join_by: float = math.inf
    deadline: float = 0
    waiting: asyncio.Future[Message] | None = None

    def seen(self) -> None:
        """Note that the member is alive, which excuses no member from joining in time."""
        self.deadline = min(time.monotonic() + self.session_s, self.join_by)

    def wait(self) -> asyncio.Future[Message]:
        """Return where the answer will be; an older unanswered request is answered to go on."""
        self.answer({"error": ErrorCode.REBALANCE_IN_PROGRESS})
        self.waiting = asyncio.get_running_loop().create_future()
        return self.waiting

    def answer(self, reply: Message) -> None:
        """Answer the request that waits, if any."""
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(reply)
            self.seen()
        self.waiting = None


class Group:
    """Every change of membership is a new generation, entered by all members together."""

    def __init__(self) -> None:
        self.state = State.EMPTY
        self.members: dict[str, Member] = {}
        self.offsets: Offsets = {}
        self.pending: dict[int, Offsets] = {}  # by producer id
        self._rebalance_s = 0.0
        self._generation = 0
        self._leader = self._protocol = ""

    def _member(self, request: Message) -> Member:
        holder = self._holder(request.get("instance_id"))
        if holder and holder.id != request["member_id"]:
            raise RefusedError(ErrorCode.FENCED_INSTANCE_ID)
        if request["member_id"] not in self.members:
            raise RefusedError(ErrorCode.UNKNOWN_MEMBER_ID)
        if request.get("generation", self._generation) != self._generation:
            raise RefusedError(ErrorCode.ILLEGAL_GENERATION)
        member = self.members[request["member_id"]]
        member.seen()
        return member

    def _holder(self, instance: str | None) -> Member | None:
        return next((m for m in self.members.values() if instance and m.instance == instance), None)

    async def join(self, request: Message) -> Message:
        """Enter the next generation; answered when all members have, or their time is up.

        A static member that comes back to a group at work takes its old place in this one.
        """
        protocols = {one["name"]: bytes(one["metadata"]) for one in request["protocols"]}
        instance = request.get("instance_id")
        before = None if request["member_id"] else self._holder(instance)
        same = before.id if before else request["member_id"]
        others = (m.protocols for m in self.members.values() if m.id != same)
        if not set(protocols).intersection(*others):
            raise RefusedError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        known = self._member(request) if request["member_id"] else None
        member = known or Member(
            f"{instance or request['client_id']}-{uuid.uuid4()}", instance, request["client_id"] or ""
        )
        if before:
            leader = self._leader
            self._replace(before, member)
            if self.state is State.STABLE:
                member.protocols, member.session_s = protocols, request["session_timeout"] / 1000
                member.seen()
                return self._joined(member) | {"leader": leader, "members": ()}
        changed, member.protocols = protocols != member.protocols, protocols
        self._rebalance_s = max(self._rebalance_s, request["rebalance_timeout"] / 1000)
        member.session_s = request["session_timeout"] / 1000
        self.members[member.id] = member
        if self.state is State.STABLE and not changed and member.id != self._leader:
            return self._joined(member)
        self._prepare()
        waiting, member.join_by = member.wait(), math.inf
        self._complete_if_all_joined()
        return await waiting

    def _replace(self, before: Member, member: Member) -> None:
        del self.members[before.id]
        before.answer({"error": ErrorCode.FENCED_INSTANCE_ID})
        self.members[member.id], member.assignment = member, before.assignment
        if self._leader == before.id:
            self._leader = member.id

    def _prepare(self) -> None:
        if self.state is State.PREPARING:
            return
        self.state = State.PREPARING
        for member in self.members.values():
            member.answer({"error": ErrorCode.REBALANCE_IN_PROGRESS})
            member.join_by = time.monotonic() + self._rebalance_s
            member.deadline = min(member.deadline, member.join_by)

    def _complete_if_all_joined(self) -> None:
        members = self.members.values()
        if self.state is not State.PREPARING or not all(member.waiting for member in members):
            return
        self.state, self._generation = State.COMPLETING, self._generation + 1
        if self._leader not in self.members:
            self._leader = next(iter(self.members))
        preferred = self.members[self._leader].protocols
        self._protocol = next(name for name in preferred if all(name in m.protocols for m in members))
        for member in members:
            member.answer(self._joined(member))

    def _joined(self, member: Member) -> Message:
        listed = self.members.values() if member.id == self._leader else ()
        return {
            "generation": self._generation,
            "protocol": self._protocol,
            "leader": self._leader,
            "member_id": member.id,
            "members": [
                {"member_id": m.id, "instance_id": m.instance, "metadata": m.protocols[self._protocol]}
                for m in listed
            ],
        }

    async def sync(self, request: Message) -> Message:
        """Give the member its assignment, once the leader has brought it."""
        member = self._member(request)
        if self.state is State.PREPARING:
            raise RefusedError(ErrorCode.REBALANCE_IN_PROGRESS)
        if self.state is State.STABLE:
            return {"assignment": member.assignment}
        waiting = member.wait()
        if member.id == self._leader:
            self.state = State.STABLE
            shares = {one["member_id"]: bytes(one["assignment"]) for one in request["assignments"]}
            for each in self.members.values():
                each.assignment = shares.get(each.id, b"")
                each.answer({"assignment": each.assignment})
        return await waiting

    def heartbeat(self, request: Message) -> Message:
        """Keep the member's session; raises REBALANCE_IN_PROGRESS when it should join anew."""
        self._member(request)
        if self.state is State.PREPARING:
            raise RefusedError(ErrorCode.REBALANCE_IN_PROGRESS)
        return {}

    def leave(self, request: Message) -> Message:
        """Remove a member."""
        self._remove(self._member(request))
        return {}

    def _remove(self, member: Member) -> None:
        del self.members[member.id]
        member.answer({"error": ErrorCode.UNKNOWN_MEMBER_ID})
        if self.members:
            self._prepare()
            self._complete_if_all_joined()
        else:
            self.state, self._generation = State.EMPTY, self._generation + 1

    def described(self) -> Message:
        """Who is in it, and what the members hold."""
        members = [
            {
                "member_id": m.id,
                "instance_id": m.instance,
                "client_id": m.client,
                "metadata": m.protocols.get(self._protocol, b""),
                "assignment": m.assignment,
            }
            for m in self.members.values()
        ]
        state, kind = _KAFKA_NAMES[self.state], "consumer" if members else ""
        return {"state": state, "protocol_type": kind, "protocol": self._protocol, "members": members}

    def expire(self) -> None:
        """Remove members that went silent or have not joined in time."""
        now = time.monotonic()
        for member in list(self.members.values()):
            if not member.waiting and now > member.deadline:
                self._remove(member)

    def check_commit(self, request: Message, transactional: bool) -> None:
        """Refuse offsets from a consumer that is no longer (or not yet) of this generation."""
        if request["generation"] >= 0 or request["member_id"]:
            self._member(request)
            if self.state is State.COMPLETING and not transactional:
                raise RefusedError(ErrorCode.REBALANCE_IN_PROGRESS)
        elif self.members and not transactional:
            raise RefusedError(ErrorCode.UNKNOWN_MEMBER_ID)

    def decide(self, producer_id: int, commit: bool) -> None:
        """Take or drop the offsets that a transaction has held back."""
        held = self.pending.pop(producer_id, {})
        self.offsets |= held if commit else {}


def _by_group(method: Callable[[Group, Message], Any]) -> Callable[[Any, Message], Any]:
    return lambda groups, request: method(groups.by_id[request["group_id"]], request)


class Groups:
    """All consumer groups, each there from the first request about it."""

    def __init__(self) -> None:
        self.by_id: dict[str, Group] = defaultdict(Group)

    join_group, sync_group = _by_group(Group.join), _by_group(Group.sync)
    heartbeat, leave_group = _by_group(Group.heartbeat), _by_group(Group.leave)

    def find_coordinator(self, request: Message) -> Message:
        """Name the one broker."""
        host, port = request["address"]
        return {"host": host, "port": port}

    def describe_groups(self, request: Message) -> Message:
        """Say of each group how it stands; one that nobody has asked for is dead."""
        known = self.by_id
        return {
            "groups": [
                asked
                | (known[name].described() if (name := asked["group_id"]) in known else {"state": "Dead"})
                for asked in request["groups"]
            ]
        }

    @each_partition
    def offset_commit(self, request: Message, topic: str, wanted: Message) -> Message:
        """Commit an offset outside transactions."""
        group = self.by_id[request["group_id"]]
        group.check_commit(request, transactional=False)
        group.offsets[topic, wanted["index"]] = wanted["offset"], wanted["metadata"] or ""
        return {}

    def offset_fetch(self, request: Message) -> Message:
        """Give committed offsets; with `require_stable`, none that a transaction may yet change."""
        group = self.by_id[request["group_id"]]
        undecided = {at for held in group.pending.values() for at in held}

        def find(topic: str, wanted: Message) -> Message:
            at = topic, wanted["index"]
            if request["require_stable"] and at in undecided:
                raise RefusedError(ErrorCode.UNSTABLE_OFFSET_COMMIT)
            offset, metadata = group.offsets.get(at, (-1, ""))
            return {"offset": offset, "metadata": metadata}

        if request["topics"] is None:
            asked = list(group.offsets.keys() | undecided)
        else:
            asked = [(topic["name"], index) for topic in request["topics"] for index in topic["partitions"]]
        topics = [{"name": name, "partitions": [{"index": index}]} for name, index in asked]
        return answer_partitions({"topics": topics}, find)
