"""How requests are refused, as a whole or item by item: one bad item does not spoil the rest."""

from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any

from streams.broker.embedded.wire import Message


class ErrorCode(IntEnum):
    """Kafka's error codes, as far as this broker gives them."""

    NONE = 0
    OFFSET_OUT_OF_RANGE = 1
    UNKNOWN_TOPIC_OR_PARTITION = 3
    MSG_SIZE_TOO_LARGE = 10
    INVALID_TOPIC = 17
    ILLEGAL_GENERATION = 22
    INCONSISTENT_GROUP_PROTOCOL = 23
    UNKNOWN_MEMBER_ID = 25
    REBALANCE_IN_PROGRESS = 27
    UNSUPPORTED_VERSION = 35
    TOPIC_ALREADY_EXISTS = 36
    INVALID_PARTITIONS = 37
    INVALID_REPLICATION_FACTOR = 38
    INVALID_CONFIG = 40
    INVALID_REQUEST = 42
    OUT_OF_ORDER_SEQUENCE = 45
    INVALID_PRODUCER_EPOCH = 47
    INVALID_TXN_STATE = 48
    INVALID_PRODUCER_ID_MAPPING = 49
    INVALID_TRANSACTION_TIMEOUT = 50
    FENCED_INSTANCE_ID = 82
    INVALID_RECORD = 87
    UNSTABLE_OFFSET_COMMIT = 88
    PRODUCER_FENCED = 90


class RefusedError(Exception):
    """A request, or one item of it, that is answered with an error code."""

    def __init__(self, code: ErrorCode, text: str | None = None) -> None:
        super().__init__(text or code.name)
        self.code = code
        self.text = text


def answer(item: Message, how: Callable[[Message], Message]) -> Message:
    """Return the item with its answer, or with why it is refused."""
    try:
        return item | how(item)
    except RefusedError as refused:
        return item | {"error": refused.code, "text": refused.text}


def answer_partitions(request: Message, how: Callable[[str, Message], Message]) -> Message:
    """Answer each partition of the request's topics."""
    topics = [
        topic | {"partitions": [answer(one, partial(how, topic["name"])) for one in topic["partitions"]]}
        for topic in request["topics"]
    ]
    return {"topics": topics}


def each_topic(method: Callable[[Any, Message, Message], Message]) -> Callable[[Any, Message], Any]:
    """Make a handler of a method that answers (request, topic)."""
    return lambda owner, request: {
        "topics": [answer(topic, partial(method, owner, request)) for topic in request["topics"]]
    }


def each_partition(method: Callable[[Any, Message, str, Message], Message]) -> Callable[[Any, Message], Any]:
    """Make a handler of a method that answers (request, topic name, partition)."""
    return lambda owner, request: answer_partitions(request, partial(method, owner, request))
