"""The commit of a step: decisions, feature log, dead letters and offsets as one Kafka transaction.

1. Begin, and send every message of the step.
2. Add the source offsets, under the generation in which the partitions were assigned: a member that the group
   has given up meanwhile is refused, even where it no longer has an identity to be refused by.
3. Commit. An unknown result is asked for again until it is known; it is never guessed.
4. Where Kafka wants it, abort: the caller takes its state back and seeks back.

If the process dies before 3, nothing of the step is visible and the offsets have not moved; after it, all
of it is.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from feature_store.clock import ARRIVED_AT
from feature_store.errors import StateError
from streams.kafka import (
    LARGEST_MESSAGE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    plain_refusal,
)
from streams.messages import dead_letter as names
from streams.scorer.committed import to_offset
from streams.scorer.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.records import Refused, StepResult

_log = structlog.get_logger()
_CALL_TIMEOUT_S = 10.0
_HANGS_S = _CALL_TIMEOUT_S * 1.5
"""A call that takes longer does not keep its own timeout."""
_PAUSE_S = 0.1
_REBALANCE = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
}  # part of every handover

Headers = list[tuple[str, str | bytes | None]]

LARGEST_DEAD_LETTER = LARGEST_MESSAGE // 2
"""Bytes of an event that a dead letter keeps. Compressed, far larger ones pass a broker's own limit."""
_LARGEST_KEY = 65_536


class Aborted(Exception):  # noqa: N818  (not an error: the step will be done again)
    """The transaction was aborted; nothing of the step is visible."""


class Transactions:
    """Commits steps with one transactional producer."""

    def __init__(self, producer: Producer, consumer: Consumer, pipeline: Pipeline) -> None:
        self._producer = producer
        self._consumer = consumer
        self._topics = pipeline.topics
        self._patience_s = pipeline.serving.commit_patience / 1e6
        self._patience = Patience(max(self._patience_s, _HANGS_S))
        self._membership = consumer.consumer_group_metadata()

    def start(self) -> None:
        """Fence older processes of this slot and abort what they left open."""
        with suppress(KafkaException):
            self._producer.list_topics(timeout=_CALL_TIMEOUT_S)  # unconnected, the next call sleeps first
        self._insist("init_transactions", lambda: self._producer.init_transactions(_CALL_TIMEOUT_S))

    def joined(self) -> None:
        """Remember the group's generation; to be called in every assignment."""
        self._membership = self._consumer.consumer_group_metadata()

    def commit(self, result: StepResult) -> dict[int, int]:
        """Make the step visible, all of it or nothing.

        Returns the offset of the last feature log message of each partition. Raises Aborted when
        nothing is visible and the step must be done again; AccessError where Kafka does not allow it;
        StateError or KafkaException when the process must end and recover.
        """
        logged = _Offsets()
        try:
            self._insist("begin_transaction", self._producer.begin_transaction)
            self._send(result, logged)
            offsets = [to_offset(self._topics.events, p, at) for p, at in result.positions.items()]
            self._insist(
                "send_offsets",
                lambda: self._producer.send_offsets_to_transaction(
                    offsets, self._membership, _CALL_TIMEOUT_S
                ),
            )
            self._insist("commit", lambda: self._producer.commit_transaction(_CALL_TIMEOUT_S))
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            tell = _log.info if error.args[0].code() in _REBALANCE else _log.warning
            tell("transaction_aborted", why=str(error.args[0]))
            self._insist("abort", lambda: self._producer.abort_transaction(_CALL_TIMEOUT_S))
            raise plain_refusal(error) or Aborted(str(error.args[0])) from error
        if result.log:
            self._producer.poll(0)  # what was delivered is told here at the latest
        return logged.last

    def _insist(self, what: str, call: Callable[[], object]) -> None:
        """Call until the result is known."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                with self._patience.over(what):
                    call()
            except KafkaException as error:
                if error.args[0].fatal():
                    raise plain_refusal(error) or StateError(
                        f"{what}: {error.args[0].str()}: Kafka has given up this slot's transaction, after "
                        "it was away for longer than a transaction may take, or for a newer process of the "
                        "slot; the process ends so that a fresh one recovers from what was committed"
                    ) from error
                if not error.args[0].retriable():
                    raise
                if time.monotonic() > deadline:
                    raise StateError(
                        f"{what}: Kafka gave no answer for {self._patience_s:.0f} s; the process ends so "
                        "that a fresh one recovers from what was committed"
                    ) from error
                time.sleep(_PAUSE_S)
            else:
                return

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

    def _produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        partition: int,
        delivered: Callable[[KafkaError | None, Message], None] | None = None,
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic,
                    value=value,
                    key=key,
                    headers=headers or [],
                    partition=partition,
                    on_delivery=delivered,
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return


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
