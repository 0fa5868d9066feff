"""The commit of a step: decisions, feature log, dead letters and offsets as one Kafka transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.clock import ARRIVED_AT
from streams.kafka import (
    LARGEST_MESSAGE,
    Consumer,
    GroupTransactions,
    Headers,
    KafkaError,
    Message,
    Producer,
)
from streams.messages import dead_letter as names
from streams.scorer.committed import to_offset

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.records import Refused, StepResult

LARGEST_DEAD_LETTER = LARGEST_MESSAGE // 2
"""Bytes of an event that a dead letter keeps. Compressed, far larger ones pass a broker's own limit."""
_LARGEST_KEY = 65_536


class Transactions(GroupTransactions):
    """Commits steps."""

    def __init__(self, producer: Producer, consumer: Consumer, pipeline: Pipeline) -> None:
        super().__init__(producer, consumer, pipeline.serving.commit_patience / 1e6)
        self._topics = pipeline.topics

    def commit(self, result: StepResult) -> dict[int, int]:
        """Make the step visible, all of it or nothing.

        Returns the offset of the last feature log message of each partition. Raises Aborted when
        nothing is visible and the step must be done again; AccessError where Kafka does not allow it;
        StateError or KafkaException when the process must end and recover.
        """
        logged = _Offsets()
        offsets = [to_offset(self._topics.events, p, at) for p, at in result.positions.items()]
        self._commit(lambda: self._send(result, logged), offsets)
        if result.log:
            self._producer.poll(0)  # what was delivered is told here at the latest
        return logged.last

    def _send(self, result: StepResult, logged: _Offsets) -> None:
        topic, model_headers = self._topics.decisions, _ModelHeaders()
        produce = self._producer.produce
        for record, event_id, model, message in result.decided:
            # The id as bytes: text would end at its first NUL.
            headers: Headers = [("event_id", event_id.encode()), model_headers[model]]
            try:
                produce(topic, value=message, key=record.key, partition=record.partition, headers=headers)
            except BufferError:
                self._produce(topic, message, record.key, headers, record.partition)
        for log in result.log:
            self._produce(self._topics.features, log.message, None, None, log.partition, logged.note)
        for refused in result.refused:
            record = refused.record
            headers = _dead_letter_headers(refused, self._topics.events)
            key, value = record.key, record.value
            if len(key or b"") + len(value or b"") > LARGEST_DEAD_LETTER:
                headers.append((names.CUT_FROM, str(len(value or b""))))
                key, value = (key or b"")[:_LARGEST_KEY], (value or b"")[:LARGEST_DEAD_LETTER]
            self._produce(self._topics.dead_letters, value, key, headers, record.partition)


class _Offsets:
    """Where the messages of a transaction went."""

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
