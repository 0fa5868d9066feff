"""One consumer group by the classic protocol: its members, generations and offsets."""

import time
import uuid
from enum import StrEnum

from streams.broker.embedded.members import Member
from streams.broker.embedded.messages import ErrorCode, RefusedError
from streams.broker.embedded.wire import Message

Offset = tuple[int, str]  # the offset, and the text committed with it


class State(StrEnum):
    """Where a group stands, by Kafka's names."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


class Group:
    """Every change of membership is a new generation, entered by all members together."""

    def __init__(self, group_id: str) -> None:
        self.id = group_id
        self.state = State.EMPTY
        self.protocol_type = self.protocol = ""
        self.members: dict[str, Member] = {}
        self.offsets: dict[tuple[str, int], Offset] = {}
        self.pending: dict[int, dict[tuple[str, int], Offset]] = {}  # by producer id
        self._generation = 0
        self._leader = ""
        self._deadline = 0.0

    def member(self, request: Message) -> Member:
        """Return the member that sent a request; raises if it is unknown, replaced or late."""
        holder = self._holder(request["instance_id"])
        if holder and holder.id != request["member_id"]:
            raise RefusedError(ErrorCode.FENCED_INSTANCE_ID)
        if request["member_id"] not in self.members:
            raise RefusedError(ErrorCode.UNKNOWN_MEMBER_ID)
        if request.get("generation", self._generation) != self._generation:
            raise RefusedError(ErrorCode.ILLEGAL_GENERATION)
        return self.members[request["member_id"]]

    def _holder(self, instance_id: str | None) -> Member | None:
        named = (m for m in self.members.values() if instance_id and m.instance_id == instance_id)
        return next(named, None)

    async def join(self, request: Message) -> Message:
        """Enter the next generation; answered when all members have, or their time is up."""
        protocols = {one["name"]: bytes(one["metadata"]) for one in request["protocols"]}
        others = (m.protocols for m in self.members.values() if m.id != request["member_id"])
        if not set(protocols).intersection(*others):
            raise RefusedError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        replaced = None if request["member_id"] else self._holder(request["instance_id"])
        known = self.member(request) if request["member_id"] else None
        member = known or self._admit(request, replaced)
        same = protocols == member.protocols
        member.protocols, self.protocol_type = protocols, request["protocol_type"]
        member.session_s = request["session_timeout"] / 1000
        member.rebalance_s = request["rebalance_timeout"] / 1000
        member.seen()
        if self.state is State.STABLE and same:
            if replaced:  # a restarted static member follows, even where it led before
                return self._joined(member, replaced.id)
            if known and member.id != self._leader:
                return self._joined(member, self._leader)
        self._prepare()
        waiting, member.joined = member.wait(), True
        self._complete_if_all_joined()
        return await waiting

    def _admit(self, request: Message, replaced: Member | None) -> Member:
        new_id = f"{request['client_id']}-{uuid.uuid4()}"
        member = Member(new_id, request["instance_id"], request["client_id"])
        if replaced:
            del self.members[replaced.id]
            replaced.answer({"error": ErrorCode.FENCED_INSTANCE_ID})
            member.protocols, member.assignment = replaced.protocols, replaced.assignment
            self._leader = new_id if self._leader == replaced.id else self._leader
        self.members[new_id] = member
        return member

    def _prepare(self) -> None:
        if self.state is State.PREPARING:
            return
        self.state = State.PREPARING
        for member in self.members.values():
            member.answer({"error": ErrorCode.REBALANCE_IN_PROGRESS})
            member.joined = False
        longest = max(member.rebalance_s for member in self.members.values())
        self._deadline = time.monotonic() + longest

    def _complete_if_all_joined(self) -> None:
        if self.state is State.PREPARING and all(m.joined for m in self.members.values()):
            self._complete()

    def _complete(self) -> None:
        # A static member keeps its place until its session ends, joined or not.
        self.members = {m.id: m for m in self.members.values() if m.joined or m.instance_id}
        joined = [member for member in self.members.values() if member.joined]
        self._generation += 1
        if not joined:
            self.state = State.EMPTY
            return
        self.state = State.COMPLETING
        if self._leader not in {member.id for member in joined}:
            self._leader = joined[0].id
        self.protocol = next(
            name
            for name in self.members[self._leader].protocols
            if all(name in member.protocols for member in self.members.values())
        )
        for member in joined:
            member.answer(self._joined(member, self._leader))

    def _joined(self, member: Member, leader: str) -> Message:
        members = [
            {"member_id": m.id, "instance_id": m.instance_id, "metadata": m.protocols[self.protocol]}
            for m in self.members.values()
            if member.id == leader
        ]
        return {"generation": self._generation, "protocol": self.protocol, "leader": leader,
                "member_id": member.id, "members": members}  # fmt: skip

    async def sync(self, request: Message) -> Message:
        """Give the member its assignment, once the leader has brought it."""
        member = self.member(request)
        member.seen()
        if self.state is State.PREPARING:
            raise RefusedError(ErrorCode.REBALANCE_IN_PROGRESS)
        if self.state is State.COMPLETING:
            waiting = member.wait()
            if member.id == self._leader:
                self._distribute(request["assignments"])
            return await waiting
        return {"assignment": member.assignment}

    def _distribute(self, assignments: list[Message]) -> None:
        self.state = State.STABLE
        given = {one["member_id"]: bytes(one["assignment"]) for one in assignments}
        for member in self.members.values():
            member.assignment = given.get(member.id, b"")
            member.answer({"assignment": member.assignment})

    def heartbeat(self, request: Message) -> Message:
        """Keep the member's session; raises REBALANCE_IN_PROGRESS when it should join anew."""
        self.member(request).seen()
        if self.state is State.PREPARING:
            raise RefusedError(ErrorCode.REBALANCE_IN_PROGRESS)
        return {}

    def leave(self, request: Message) -> Message:
        """Remove one member, named by its id or its instance."""
        holder = self._holder(request["instance_id"])
        named = {**request, "member_id": request["member_id"] or (holder.id if holder else "")}
        self._remove(self.member(named))
        return {}

    def _remove(self, member: Member) -> None:
        del self.members[member.id]
        member.answer({"error": ErrorCode.UNKNOWN_MEMBER_ID})
        if not self.members:
            self.state, self._generation = State.EMPTY, self._generation + 1
        else:
            self._prepare()
            self._complete_if_all_joined()

    def expire(self) -> None:
        """Remove members that went silent; end a rebalance that has lasted too long."""
        now = time.monotonic()
        for member in list(self.members.values()):
            # Removing one may complete the rebalance, which drops those that have not joined.
            if member.id in self.members and not member.waiting and now > member.deadline:
                self._remove(member)
        if self.state is State.PREPARING and now > self._deadline:
            self._complete()

    def check_commit(self, request: Message, transactional: bool) -> None:
        """Refuse offsets from a consumer that is no longer (or not yet) of this generation."""
        if request["generation"] >= 0 or request["member_id"]:
            self.member(request).seen()
            if self.state is State.COMPLETING and not transactional:
                raise RefusedError(ErrorCode.REBALANCE_IN_PROGRESS)
        elif self.members and not transactional:
            raise RefusedError(ErrorCode.UNKNOWN_MEMBER_ID)

    def decide(self, producer_id: int, commit: bool) -> None:
        """Take or drop the offsets that a transaction has held back."""
        held = self.pending.pop(producer_id, {})
        if commit:
            self.offsets.update(held)

    def describe(self) -> Message:
        """Give the group as DescribeGroups shows it."""
        members = [
            {"member_id": m.id, "instance_id": m.instance_id, "client_id": m.client_id,
             "client_host": "/", "metadata": m.protocols.get(self.protocol, b""),
             "assignment": m.assignment}
            for m in self.members.values()
        ]  # fmt: skip
        return {"state": self.state, "protocol_type": self.protocol_type,
                "protocol": self.protocol, "members": members}  # fmt: skip
