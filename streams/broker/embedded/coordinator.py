"""The requests about consumer groups and their committed offsets."""

from collections import defaultdict

from streams.broker.embedded.answering import answer_each, answer_partitions, each, each_partition
from streams.broker.embedded.groups import Group
from streams.broker.embedded.messages import ErrorCode, RefusedError
from streams.broker.embedded.wire import Message


class Groups:
    """All consumer groups by id."""

    def __init__(self) -> None:
        self._by_id: dict[str, Group] = {}

    def get(self, group_id: str) -> Group:
        """Return a group; a new one exists from its first member or offset on."""
        return self._by_id.setdefault(group_id, Group(group_id))

    def _known(self, group_id: str) -> Group:
        return self._by_id.get(group_id) or Group(group_id)

    async def find_coordinator(self, request: Message) -> Message:
        """Name the one broker."""
        host, port = request["address"]
        return {"host": host, "port": port}

    async def join_group(self, request: Message) -> Message:
        """See Group.join."""
        return await self.get(request["group_id"]).join(request)

    async def sync_group(self, request: Message) -> Message:
        """See Group.sync."""
        return await self._known(request["group_id"]).sync(request)

    async def heartbeat(self, request: Message) -> Message:
        """See Group.heartbeat."""
        return self._known(request["group_id"]).heartbeat(request)

    async def leave_group(self, request: Message) -> Message:
        """Remove members; the old form of the request names just one, and gets its error."""
        group = self._known(request["group_id"])
        if request["member_id"] is not None:
            return group.leave({**request, "instance_id": None})
        return {"members": answer_each(request["members"], "member_id", group.leave)}

    @each_partition
    def offset_commit(self, request: Message, name: str, wanted: Message) -> Message:
        """Commit an offset outside transactions."""
        group = self.get(request["group_id"])
        group.check_commit(request, transactional=False)
        group.offsets[name, wanted["index"]] = wanted["offset"], wanted["metadata"] or ""
        return {}

    async def offset_fetch(self, request: Message) -> Message:
        """Give committed offsets; with `require_stable`, none that a transaction may yet change."""
        group = self._known(request["group_id"])
        undecided = {at for held in group.pending.values() for at in held}

        def find(name: str, index: int) -> Message:
            if request["require_stable"] and (name, index) in undecided:
                raise RefusedError(ErrorCode.UNSTABLE_OFFSET_COMMIT)
            offset, metadata = group.offsets.get((name, index), (-1, ""))
            return {"offset": offset, "metadata": metadata}

        if request["topics"] is None:
            known = defaultdict(list)
            for name, index in group.offsets.keys() | undecided:
                known[name].append(index)
            request["topics"] = [{"name": name, "partitions": indexes} for name, indexes in known.items()]
        return answer_partitions(request, find)

    @each("groups", key="group_id")
    def describe_groups(self, _request: Message, group_id: str) -> Message:
        """Describe a group; an unknown one is dead."""
        group = self._by_id.get(group_id)
        return group.describe() if group else {"state": "Dead"}

    async def list_groups(self, request: Message) -> Message:
        """List the groups, or those in some states."""
        return {"groups": [
            {"group_id": name, "protocol_type": group.protocol_type, "state": group.state}
            for name, group in self._by_id.items()
            if not request["states"] or group.state in request["states"]
        ]}  # fmt: skip

    @each("groups", key="group_id")
    def delete_groups(self, _request: Message, group_id: str) -> Message:
        """Forget a group that has no members."""
        if group_id not in self._by_id:
            raise RefusedError(ErrorCode.GROUP_ID_NOT_FOUND)
        if self._by_id[group_id].members:
            raise RefusedError(ErrorCode.NON_EMPTY_GROUP)
        del self._by_id[group_id]
        return {}

    def expire(self) -> None:
        """See Group.expire."""
        for group in self._by_id.values():
            group.expire()
