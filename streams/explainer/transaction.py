"""The commit of a turn: explanations and the offsets of the feature log, as one Kafka transaction.

If the process dies before the commit nothing is visible and the offsets have not moved; after it, all of it
is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import StateError
from streams.kafka import Consumer, KafkaException, Producer, TopicPartition, plain_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.topics import TopicNames
    from streams.explainer.explain import Explained

_log = structlog.get_logger()
_CALL_TIMEOUT_S = 10.0
_PAUSE_S = 0.1


class Aborted(Exception):  # noqa: N818  (not an error: the turn will be done again)
    """Nothing of the turn is visible."""


class ExplanationWriter:
    """Commits turns with one transactional producer."""

    def __init__(self, producer: Producer, consumer: Consumer, topics: TopicNames, patience_s: float) -> None:
        self._producer = producer
        self._consumer = consumer
        self._topics = topics
        self._patience_s = patience_s
        self._membership = consumer.consumer_group_metadata()

    def start(self) -> None:
        """Fence older processes of this slot and abort what they left open."""
        self._insist(lambda: self._producer.init_transactions(_CALL_TIMEOUT_S * 3))

    def joined(self) -> None:
        """Remember the group's generation; to be called in every assignment."""
        self._membership = self._consumer.consumer_group_metadata()

    def commit(self, explained: list[Explained], positions: dict[int, int]) -> None:
        """Write ``explained`` and move to ``positions`` of the feature log.

        Raises Aborted when nothing is visible and the turn must be done again; AccessError where Kafka
        does not allow it; StateError or KafkaException when the process must end and begin anew.
        """
        offsets = [TopicPartition(self._topics.features, p, at) for p, at in positions.items()]
        try:
            self._insist(self._producer.begin_transaction)
            for each in explained:
                self._produce(each)
            self._insist(
                lambda: self._producer.send_offsets_to_transaction(offsets, self._membership, _CALL_TIMEOUT_S)
            )
            self._insist(lambda: self._producer.commit_transaction(_CALL_TIMEOUT_S))
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            _log.info("transaction_aborted", why=str(error.args[0]))
            self._insist(lambda: self._producer.abort_transaction(_CALL_TIMEOUT_S))
            raise plain_refusal(error) or Aborted(str(error.args[0])) from error

    def _produce(self, explained: Explained) -> None:
        headers: list[tuple[str, str | bytes | None]] = [
            ("event_id", explained.event_id.encode()),
            ("model", explained.model.encode()),
        ]
        while True:
            try:
                self._producer.produce(
                    self._topics.explanations,
                    value=explained.message,
                    key=explained.key,
                    headers=headers,
                    partition=explained.partition,
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _insist(self, call: Callable[[], object]) -> None:
        """Call until the result is known."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                call()
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                if time.monotonic() > deadline:
                    raise StateError(
                        f"Kafka gave no answer for {self._patience_s:.0f} s; the explainer ends, and the "
                        "next one goes on from what was committed"
                    ) from error
                time.sleep(_PAUSE_S)
            else:
                return
