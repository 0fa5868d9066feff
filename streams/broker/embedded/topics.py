"""Topics, their settings, and the requests that administer them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from streams.broker.embedded.log import PartitionLog
from streams.broker.embedded.messages import ErrorCode, RefusedError
from streams.broker.embedded.wire import Message

DEFAULTS = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "delete.retention.ms": "86400000",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
    "min.cleanable.dirty.ratio": "0.5",
    "min.compaction.lag.ms": "0",
    "min.insync.replicas": "1",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
    "segment.bytes": "1073741824",
    "segment.ms": "604800000",
}
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_MAX_PARTITIONS = 10_000
_TOPIC, _BROKER, _SET, _DELETE = 2, 4, 0, 1  # resource kinds, and what is done to a setting
_FROM_TOPIC, _FROM_DEFAULT = 1, 5  # where a setting's value comes from


@dataclass
class Topic:
    """A named list of partitions and the settings that differ from the defaults."""

    name: str
    settings: dict[str, str]
    partitions: list[PartitionLog] = field(default_factory=list)

    def number(self, setting: str) -> int:
        """Return a numeric setting."""
        return int(self.settings.get(setting, DEFAULTS[setting]))

    def grow(self, count: int) -> None:
        """Add partitions until there are `count`."""
        self.partitions += [PartitionLog() for _ in range(count - len(self.partitions))]


def check_settings(settings: dict[str, str | None]) -> dict[str, str]:
    """Return the settings; raises INVALID_CONFIG for an unknown name or a value of a wrong type."""
    for name, value in settings.items():
        number = DEFAULTS.get(name, "").lstrip("-").isdigit()
        if name not in DEFAULTS or (number and not re.fullmatch(r"-?\d+", value or "")):
            raise RefusedError(ErrorCode.INVALID_CONFIG, f"{name}={value} is not understood here")
    return {name: value or "" for name, value in settings.items()}


def answer_each(items: Iterable[Any], key: str, answer: Callable[[Any], Message]) -> list[Message]:
    """Answer items one by one: each answer carries the item's `key` and its own error code."""
    replies = []
    for item in items:
        name = item[key] if isinstance(item, dict) else item
        try:
            reply = answer(item)
        except RefusedError as refused:
            reply = {"error": refused.code, "text": refused.text}
        replies.append({key: name, **reply})
    return replies


def answer_partitions(request: Message, answer: Callable[[str, Any], Message]) -> dict[str, list[Message]]:
    """Answer a request's topics partition by partition with `answer(topic, partition)`."""

    def of_topic(topic: Message) -> Message:
        name = topic["name"]
        return {"partitions": answer_each(topic["partitions"], "index", lambda p: answer(name, p))}

    return {"topics": answer_each(request["topics"], "name", of_topic)}


class Topics:
    """All topics by name."""

    def __init__(self, *, auto_create: bool = False) -> None:
        self.by_name: dict[str, Topic] = {}
        self._auto_create = auto_create

    def partition(self, name: str, index: int) -> PartitionLog:
        """Return a partition's log; raises UNKNOWN_TOPIC_OR_PARTITION."""
        topic = self.by_name.get(name)
        if topic is None or not 0 <= index < len(topic.partitions):
            raise RefusedError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return topic.partitions[index]

    def create(self, name: str, count: int, settings: dict[str, str | None], dry: bool) -> None:
        """Create a topic unless `dry`; raises RefusedError saying what is wrong with it."""
        if not _NAME.fullmatch(name or ""):
            raise RefusedError(ErrorCode.INVALID_TOPIC, f"{name!r} cannot name a topic")
        if name in self.by_name:
            raise RefusedError(ErrorCode.TOPIC_ALREADY_EXISTS, f"topic {name!r} exists")
        if not 0 < count <= _MAX_PARTITIONS:
            raise RefusedError(ErrorCode.INVALID_PARTITIONS, f"{count} partitions")
        topic = Topic(name, check_settings(settings))
        topic.grow(count)
        if not dry:
            self.by_name[name] = topic

    def retain(self) -> None:
        """Drop what is beyond each topic's retention; compacted topics keep everything."""
        for topic in self.by_name.values():
            if "delete" in topic.settings.get("cleanup.policy", DEFAULTS["cleanup.policy"]):
                for log in topic.partitions:
                    log.retain(topic.number("retention.bytes"), topic.number("retention.ms"))

    async def metadata(self, request: Message) -> Message:
        """Name the one broker, and say where partitions are: there."""
        host, port = request["address"]
        names = list(self.by_name) if request["topics"] is None else request["topics"]

        def describe(name: str) -> Message:
            if self._auto_create and request["create"] and name not in self.by_name:
                self.create(name, 1, {}, dry=False)
            self.partition(name, 0)
            count = len(self.by_name[name].partitions)
            return {"partitions": [
                {"index": i, "leader": 0, "replicas": [0], "in_sync": [0]} for i in range(count)
            ]}  # fmt: skip

        return {"brokers": [{"host": host, "port": port}], "cluster": "embedded",
                "topics": answer_each(names, "name", describe)}  # fmt: skip

    async def create_topics(self, request: Message) -> Message:
        """Create topics of one replica each."""

        def create(wanted: Message) -> Message:
            if wanted["replicas"] not in {-1, 1} and not wanted["assignments"]:
                raise RefusedError(ErrorCode.INVALID_REPLICATION_FACTOR, "there is one broker")
            settings = {one["name"]: one["value"] for one in wanted["configs"]}
            count = len(wanted["assignments"]) or (1 if wanted["count"] == -1 else wanted["count"])
            self.create(wanted["name"], count, settings, dry=request["validate_only"])
            return {}

        return {"topics": answer_each(request["topics"], "name", create)}

    async def delete_topics(self, request: Message) -> Message:
        """Delete topics and what is in them."""

        def delete(name: str) -> Message:
            self.partition(name, 0)
            for log in self.by_name.pop(name).partitions:
                log.wake()
            return {}

        return {"topics": answer_each(request["topics"], "name", delete)}

    async def create_partitions(self, request: Message) -> Message:
        """Raise numbers of partitions."""

        def grow(wanted: Message) -> Message:
            self.partition(wanted["name"], 0)
            topic = self.by_name[wanted["name"]]
            if not len(topic.partitions) < wanted["count"] <= _MAX_PARTITIONS:
                raise RefusedError(ErrorCode.INVALID_PARTITIONS, f"has {len(topic.partitions)}")
            if not request["validate_only"]:
                topic.grow(wanted["count"])
            return {}

        return {"topics": answer_each(request["topics"], "name", grow)}

    async def delete_records(self, request: Message) -> Message:
        """Move partitions' low watermarks up; -1 stands for the end."""

        def delete(name: str, wanted: Message) -> Message:
            log = self.partition(name, wanted["index"])
            offset = log.end if wanted["offset"] == -1 else wanted["offset"]
            if not 0 <= offset <= log.end:
                raise RefusedError(ErrorCode.OFFSET_OUT_OF_RANGE)
            log.truncate(offset)
            return {"low_watermark": log.start}

        return answer_partitions(request, delete)

    async def describe_configs(self, request: Message) -> Message:
        """Give settings of topics; as a broker's settings the defaults for topics."""

        def describe(resource: Message) -> Message:
            own = self._settings(resource)
            values = {**DEFAULTS, **own}
            return {"kind": resource["kind"], "configs": [
                {"name": name, "value": value, "is_default": name not in own,
                 "source": _FROM_TOPIC if name in own else _FROM_DEFAULT}
                for name, value in values.items()
                if resource["keys"] is None or name in resource["keys"]
            ]}  # fmt: skip

        return {"results": answer_each(request["resources"], "name", describe)}

    async def incremental_alter_configs(self, request: Message) -> Message:
        """Set or unset single settings of topics."""

        def alter(resource: Message) -> Message:
            changes = {one["name"]: one for one in resource["configs"]}
            if resource["kind"] != _TOPIC or any(c["op"] > _DELETE for c in changes.values()):
                raise RefusedError(ErrorCode.INVALID_REQUEST, "only set and delete, on topics")
            settings = self._settings(resource)
            set_ = {name: c["value"] for name, c in changes.items() if c["op"] == _SET}
            kept = {name: value for name, value in settings.items() if name not in changes}
            checked = kept | check_settings(set_)
            if not request["validate_only"]:
                self.by_name[resource["name"]].settings = checked
            return {"kind": resource["kind"]}

        return {"results": answer_each(request["resources"], "name", alter)}

    def _settings(self, resource: Message) -> dict[str, str]:
        if resource["kind"] == _BROKER:
            return {}
        self.partition(resource["name"], 0)
        return self.by_name[resource["name"]].settings
