"""Requests that hold many items are answered item by item; one bad item does not spoil the rest."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from streams.broker.embedded.messages import RefusedError
from streams.broker.embedded.wire import Message

Handler = Callable[[Any, Message], Awaitable[Message]]


def answer_each(items: Iterable[Any], key: str, answer: Callable[[Any], Message]) -> list[Message]:
    """Answer each item; the answer repeats the item (a plain one as `key`) and says if it was refused."""
    replies = []
    for item in items:
        asked = item if isinstance(item, dict) else {key: item}
        try:
            reply = answer(item)
        except RefusedError as refused:
            reply = {"error": refused.code, "text": refused.text}
        replies.append({**asked, **reply})
    return replies


def answer_partitions(request: Message, answer: Callable[[str, Any], Message]) -> Message:
    """Answer the partitions of the request's topics with `answer(topic name, partition)`."""
    topics = []
    for topic in request["topics"]:
        of_topic = partial(answer, topic["name"])
        topics.append({**topic, "partitions": answer_each(topic["partitions"], "index", of_topic)})
    return {"topics": topics}


def each(items: str, key: str = "name") -> Callable[[Callable[[Any, Message, Any], Message]], Handler]:
    """Make a handler of a method that answers (request, item) for the request's list of `items`."""

    def handler_of(method: Callable[[Any, Message, Any], Message]) -> Handler:
        async def handler(self: object, request: Message) -> Message:
            return {items: answer_each(request[items], key, lambda item: method(self, request, item))}

        return handler

    return handler_of


def each_partition(method: Callable[[Any, Message, str, Any], Message]) -> Handler:
    """Make a handler of a method that answers (request, topic name, partition)."""

    async def handler(self: object, request: Message) -> Message:
        return answer_partitions(request, lambda name, item: method(self, request, name, item))

    return handler
