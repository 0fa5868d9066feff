"""Topics, their settings, and the requests that administer them."""

import re
from dataclasses import dataclass, field

from streams.broker.embedded.answering import answer_each, each, each_partition
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

    def setting(self, name: str) -> str:
        """Return a setting as it is in force."""
        return self.settings.get(name, DEFAULTS[name])

    def grow(self, count: int) -> None:
        """Add partitions until there are `count`."""
        self.partitions += [PartitionLog() for _ in range(count - len(self.partitions))]


def check_settings(settings: dict[str, str | None]) -> dict[str, str]:
    """Return the settings; raises INVALID_CONFIG for an unknown name or a value of a wrong type."""
    for name, value in settings.items():
        is_number = DEFAULTS.get(name, "").lstrip("-").isdigit()
        if name not in DEFAULTS or (is_number and not re.fullmatch(r"-?\d+", value or "")):
            raise RefusedError(ErrorCode.INVALID_CONFIG, f"{name}={value} is not understood here")
    return {name: value or "" for name, value in settings.items()}


class Topics:
    """All topics by name."""

    def __init__(self, *, auto_create: bool = False) -> None:
        self._by_name: dict[str, Topic] = {}
        self._auto_create = auto_create

    def get(self, name: str) -> Topic:
        """Return a topic; raises UNKNOWN_TOPIC_OR_PARTITION."""
        if name not in self._by_name:
            raise RefusedError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return self._by_name[name]

    def partition(self, name: str, index: int) -> PartitionLog:
        """Return a partition's log; raises UNKNOWN_TOPIC_OR_PARTITION."""
        partitions = self.get(name).partitions
        if not 0 <= index < len(partitions):
            raise RefusedError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return partitions[index]

    def create(self, name: str, count: int, settings: dict[str, str | None], *, dry: bool) -> None:
        """Create a topic unless `dry`; raises RefusedError saying what is wrong with it."""
        if not _NAME.fullmatch(name or ""):
            raise RefusedError(ErrorCode.INVALID_TOPIC, f"{name!r} cannot name a topic")
        if name in self._by_name:
            raise RefusedError(ErrorCode.TOPIC_ALREADY_EXISTS, f"topic {name!r} exists")
        if not 0 < count <= _MAX_PARTITIONS:
            raise RefusedError(ErrorCode.INVALID_PARTITIONS, f"{count} partitions")
        topic = Topic(name, check_settings(settings))
        topic.grow(count)
        if not dry:
            self._by_name[name] = topic

    def retain(self) -> None:
        """Drop what is beyond each topic's retention; compacted topics keep everything."""
        for topic in self._by_name.values():
            if "delete" in topic.setting("cleanup.policy").split(","):
                for log in topic.partitions:
                    log.retain(int(topic.setting("retention.bytes")), int(topic.setting("retention.ms")))

    async def metadata(self, request: Message) -> Message:
        """Name the one broker, and say where partitions are: there."""
        host, port = request["address"]
        names = list(self._by_name) if request["topics"] is None else request["topics"]

        def describe(name: str) -> Message:
            if self._auto_create and request["create"] and name not in self._by_name:
                self.create(name, 1, {}, dry=False)
            places = range(len(self.get(name).partitions))
            return {"partitions": [{"index": i, "replicas": [0], "in_sync": [0]} for i in places]}

        topics = answer_each(names, "name", describe)
        return {"brokers": [{"host": host, "port": port}], "cluster": "embedded", "topics": topics}

    @each("topics")
    def create_topics(self, request: Message, wanted: Message) -> Message:
        """Create a topic of one replica."""
        if wanted["replicas"] not in {-1, 1} and not wanted["assignments"]:
            raise RefusedError(ErrorCode.INVALID_REPLICATION_FACTOR, "there is one broker")
        settings = {one["name"]: one["value"] for one in wanted["configs"]}
        count = len(wanted["assignments"]) or (1 if wanted["count"] == -1 else wanted["count"])
        self.create(wanted["name"], count, settings, dry=request["validate_only"])
        return {}

    @each("topics")
    def delete_topics(self, _request: Message, name: str) -> Message:
        """Delete a topic and what is in it."""
        for log in self.get(name).partitions:
            log.wake()
        del self._by_name[name]
        return {}

    @each("topics")
    def create_partitions(self, request: Message, wanted: Message) -> Message:
        """Raise a topic's number of partitions."""
        topic = self.get(wanted["name"])
        if not len(topic.partitions) < wanted["count"] <= _MAX_PARTITIONS:
            raise RefusedError(ErrorCode.INVALID_PARTITIONS, f"has {len(topic.partitions)}")
        if not request["validate_only"]:
            topic.grow(wanted["count"])
        return {}

    @each_partition
    def delete_records(self, _request: Message, name: str, wanted: Message) -> Message:
        """Move a partition's low watermark up; -1 stands for the end."""
        log = self.partition(name, wanted["index"])
        offset = log.end if wanted["offset"] == -1 else wanted["offset"]
        if not 0 <= offset <= log.end:
            raise RefusedError(ErrorCode.OFFSET_OUT_OF_RANGE)
        log.truncate(offset)
        return {"low_watermark": log.start}

    @each("resources")
    def describe_configs(self, _request: Message, resource: Message) -> Message:
        """Give a topic's settings; as a broker's settings the defaults for topics."""
        own = {} if resource["kind"] == _BROKER else self.get(resource["name"]).settings
        return {
            "configs": [
                {"name": name, "value": value, "source": _FROM_TOPIC if name in own else _FROM_DEFAULT}
                for name, value in {**DEFAULTS, **own}.items()
                if resource["keys"] is None or name in resource["keys"]
            ]
        }

    @each("resources")
    def incremental_alter_configs(self, request: Message, resource: Message) -> Message:
        """Set or unset single settings of a topic."""
        changes = {one["name"]: one for one in resource["configs"]}
        if resource["kind"] != _TOPIC or any(one["op"] > _DELETE for one in changes.values()):
            raise RefusedError(ErrorCode.INVALID_REQUEST, "only set and delete, on topics")
        topic = self.get(resource["name"])
        new = check_settings({name: one["value"] for name, one in changes.items() if one["op"] == _SET})
        kept = {name: value for name, value in topic.settings.items() if name not in changes}
        if not request["validate_only"]:
            topic.settings = kept | new
        return {}
