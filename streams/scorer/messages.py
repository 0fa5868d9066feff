"""The messages of a step on their way to Kafka: decisions, dead letters, feature log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.clock import ARRIVED_AT
from streams.kafka import LARGEST_MESSAGE, Headers, KafkaError, Message, Producer, send
from streams.messages import dead_letter as names
from streams.scorer.records import BY_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feature_store.declaration.topics import TopicNames
    from streams.kafka.sending import Delivered
    from streams.scorer.records import Decided, Forwarded, LogMessage, Refused

LARGEST_DEAD_LETTER = LARGEST_MESSAGE // 2
"""Bytes of an event that a dead letter keeps. Compressed, far larger ones pass a broker's own limit."""
_LARGEST_KEY = 65_536


class StepMessages:
    """Gives messages to a producer; where its queue is full it waits. ``delivered`` hears of each of them."""

    def __init__(self, producer: Producer, topics: TopicNames) -> None:
        self._producer = producer
        self._topics = topics

    def decisions(self, decided: Iterable[Decided], delivered: Delivered | None = None) -> None:
        """The decisions of a step."""
        topic, model_headers = self._topics.decisions, _ModelHeaders()
        produce = self._producer.produce
        for record, event_id, model, message in decided:
            # The id as bytes: text would end at its first NUL.
            headers: Headers = [("event_id", event_id.encode()), model_headers[model]]
            if record.trace:
                headers += record.trace
            key, partition = record.key, record.partition
            try:
                produce(
                    topic, value=message, key=key, partition=partition, headers=headers, on_delivery=delivered
                )
            except BufferError:
                send(self._producer, topic, message, key, headers, partition, delivered)

    def forwarded(self, events: Iterable[Forwarded]) -> None:
        """The events of a step on their way to the next stage, which its key finds the partition of."""
        topic, produce = self._topics.decisions, self._producer.produce
        for key, value, headers in events:
            try:
                produce(topic, value=value, key=key, headers=headers)
            except BufferError:
                send(self._producer, topic, value, key, headers, BY_KEY)

    def log(self, messages: Iterable[LogMessage], delivered: Delivered) -> None:
        """The feature log of a step."""
        for partition, message in messages:
            send(self._producer, self._topics.features, message, None, None, partition, delivered)

    def dead_letters(self, refused: Iterable[Refused], delivered: Delivered | None = None) -> None:
        """What was refused in a step."""
        for each in refused:
            record = each.record
            headers = _dead_letter_headers(each, self._topics.events)
            key, value = record.key, record.value
            if len(key or b"") + len(value or b"") > LARGEST_DEAD_LETTER:
                headers.append((names.CUT_FROM, str(len(value or b""))))
                key, value = (key or b"")[:_LARGEST_KEY], (value or b"")[:LARGEST_DEAD_LETTER]
            send(
                self._producer,
                self._topics.dead_letters,
                value,
                key,
                headers,
                record.partition,
                delivered,
            )


class LogOffsets:
    """Where the feature log messages of a step went."""

    def __init__(self) -> None:
        self.last: dict[int, int] = {}

    def note(self, error: KafkaError | None, message: Message) -> None:
        """One delivery."""
        partition, offset = message.partition(), message.offset()
        if error is None and partition is not None and offset is not None:
            self.last[partition] = max(offset, self.last.get(partition, 0))


class _ModelHeaders(dict[str | None, tuple[str, bytes]]):
    """Model -> its header; a step has one or two."""

    def __missing__(self, model: str | None) -> tuple[str, bytes]:
        found = self[model] = ("model", (model or "").encode())
        return found


def _dead_letter_headers(refused: Refused, topic: str) -> Headers:
    """The producer's own, then ours: of two with one name, readers take the last."""
    record = refused.record
    kept: Headers = [
        (name, value)
        for name, value in refused.headers
        if name not in names.DEAD_LETTER_HEADERS or name == names.REDRIVEN_FROM
    ]
    size = sum(len(name) + len(value or b"") for name, value in refused.headers)
    if size > _LARGEST_KEY:
        kept = [(names.HEADERS_CUT_FROM, str(size))]
    return [
        *kept,
        (names.REASON, refused.reason),
        (names.DETAIL, refused.detail[:1_000].encode()),
        (names.SOURCE_TOPIC, topic),
        (names.SOURCE_PARTITION, str(record.partition)),
        (names.SOURCE_OFFSET, str(record.offset)),
        (names.SOURCE_TIME, str(record.record_time_ms)),
        (ARRIVED_AT, str(record.arrived_at // 1_000)),
    ]
