"""Topics and their settings: the requests that administer them, and those that carry records."""

import asyncio
import re
from contextlib import suppress

from streams.broker.embedded.answering import (
    ErrorCode,
    RefusedError,
    answer,
    answer_partitions,
    each_partition,
    each_topic,
)
from streams.broker.embedded.log import PartitionLog
from streams.broker.embedded.wire import Message

DEFAULTS = {
    "cleanup.policy": "delete",
    "max.message.bytes": "1048588",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
}
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_MAX_PARTITIONS = 10_000
_LATEST, _EARLIEST = -1, -2


class Topic:
    """Partitions, and the settings in force; raises INVALID_CONFIG for those not understood."""

    def __init__(self, partitions: int, settings: dict[str, str]) -> None:
        for name, value in settings.items():
            is_number = DEFAULTS.get(name, "").lstrip("-").isdigit()
            if name not in DEFAULTS or (is_number and not re.fullmatch(r"-?\d+", value or "")):
                raise RefusedError(ErrorCode.INVALID_CONFIG, f"{name}={value} is not understood here")
        self.settings = DEFAULTS | settings
        self.partitions = [PartitionLog() for _ in range(partitions)]


class Topics:
    """All topics by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Topic] = {}
        self._changed = asyncio.Event()

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

    def wake(self) -> None:
        """Let the fetches that wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def retain(self) -> None:
        """Drop what is beyond each topic's retention; compacted topics keep everything."""
        for topic in self._by_name.values():
            if "delete" in topic.settings["cleanup.policy"].split(","):
                for log in topic.partitions:
                    log.retain(int(topic.settings["retention.bytes"]), int(topic.settings["retention.ms"]))

    def metadata(self, request: Message) -> Message:
        """Name the one broker, and say where partitions are: there."""
        host, port = request["address"]

        def describe(topic: Message) -> Message:
            places = range(len(self.get(topic["name"]).partitions))
            return {"partitions": [{"index": i, "replicas": [0], "in_sync": [0]} for i in places]}

        asked = [{"name": n} for n in self._by_name] if request["topics"] is None else request["topics"]
        topics = [answer(topic, describe) for topic in asked]
        return {"brokers": [{"host": host, "port": port}], "cluster": "embedded", "topics": topics}

    @each_topic
    def create_topics(self, request: Message, wanted: Message) -> Message:
        """Create a topic of one replica, or only check that it could be."""
        name, count = wanted["name"], 1 if wanted["count"] == -1 else wanted["count"]
        if not _NAME.fullmatch(name or ""):
            raise RefusedError(ErrorCode.INVALID_TOPIC, f"{name!r} cannot name a topic")
        if name in self._by_name:
            raise RefusedError(ErrorCode.TOPIC_ALREADY_EXISTS, f"topic {name!r} exists")
        if not 0 < count <= _MAX_PARTITIONS:
            raise RefusedError(ErrorCode.INVALID_PARTITIONS, f"{count} partitions")
        if wanted["replicas"] not in {-1, 1}:
            raise RefusedError(ErrorCode.INVALID_REPLICATION_FACTOR, "there is one broker")
        topic = Topic(count, {one["name"]: one["value"] for one in wanted["configs"]})
        if not request["validate_only"]:
            self._by_name[name] = topic
        return {}

    @each_topic
    def delete_topics(self, _request: Message, wanted: Message) -> Message:
        """Delete a topic and what is in it."""
        self.get(wanted["name"])
        del self._by_name[wanted["name"]]
        self.wake()
        return {}

    async def fetch(self, request: Message) -> Message:
        """Give batches; wait up to `max_wait` ms for `min_bytes` of them if nothing is wrong."""
        reply = self._fetch(request)
        with suppress(TimeoutError):
            async with asyncio.timeout(request["max_wait"] / 1000):
                while not _suffices(reply, request["min_bytes"]):
                    await self._changed.wait()
                    reply = self._fetch(request)
        return reply

    def _fetch(self, request: Message) -> Message:
        left = request["max_bytes"]

        def read(name: str, wanted: Message) -> Message:
            nonlocal left
            log, offset = self.partition(name, wanted["index"]), wanted["offset"]
            marks = {"high_watermark": log.end, "last_stable": log.last_stable, "log_start": log.start}
            if not log.start <= offset <= log.end:
                return {**marks, "error": ErrorCode.OFFSET_OUT_OF_RANGE}
            upto = log.last_stable if request["isolation"] else log.end
            at_least_one = left == request["max_bytes"]
            records = b"".join(log.read(offset, upto, min(wanted["max_bytes"], left), at_least_one))
            left -= len(records)
            aborted = log.aborted_in(offset, upto) if request["isolation"] and records else []
            return {**marks, "records": records, "aborted": aborted}

        return answer_partitions(request, read)

    @each_partition
    def list_offsets(self, request: Message, name: str, wanted: Message) -> Message:
        """Give the first offset, or the one after the last that the isolation level lets see."""
        log = self.partition(name, wanted["index"])
        if wanted["timestamp"] == _EARLIEST:
            return {"offset": log.start}
        if wanted["timestamp"] == _LATEST:
            return {"offset": log.last_stable if request["isolation"] else log.end}
        raise RefusedError(ErrorCode.INVALID_REQUEST)


def _suffices(reply: Message, min_bytes: int) -> bool:
    partitions: list[Message] = [one for topic in reply["topics"] for one in topic["partitions"]]
    size = sum(len(one.get("records", b"")) for one in partitions)
    return size >= min_bytes or any(one.get("error") for one in partitions)
