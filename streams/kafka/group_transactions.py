"""What was made of a group's records, and the group's offsets, as one Kafka transaction.

1. Begin, and send every message.
2. Add the offsets, under the generation in which the partitions were assigned: a member that the group has
   given up meanwhile is refused, even where it no longer has an identity to be refused by.
3. Commit. An unknown result is asked for again until it is known; it is never guessed.
4. Where Kafka wants it, abort: the caller takes its state back and seeks back.

If the process dies before 3, nothing is visible and the offsets have not moved; after it, all of it is.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import StateError
from streams.kafka.clients import Consumer, KafkaError, KafkaException, Producer
from streams.kafka.patience import Patience
from streams.kafka.refused import plain_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.clients import TopicPartition

_log = structlog.get_logger()
_CALL_TIMEOUT_S = 10.0
_HANGS_S = _CALL_TIMEOUT_S * 1.5
"""A call that takes longer does not keep its own timeout."""
_PAUSE_S = 0.1
REBALANCE = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
}  # part of every handover


class Aborted(Exception):  # noqa: N818  (not an error: the work will be done again)
    """The transaction was aborted; nothing of it is visible."""


class GroupTransactions:
    """Commits with one transactional producer for one member of a group."""

    def __init__(self, producer: Producer, consumer: Consumer, patience_s: float) -> None:
        """``patience_s`` is how long a result may stay unknown before the process must end and recover."""
        self._producer = producer
        self._consumer = consumer
        self._patience_s = patience_s
        self._patience = Patience(max(patience_s, _HANGS_S))
        self._membership = consumer.consumer_group_metadata()

    def start(self) -> None:
        """Fence older processes of this slot and abort what they left open."""
        with suppress(KafkaException):
            self._producer.list_topics(timeout=_CALL_TIMEOUT_S)  # unconnected, the next call sleeps first
        self._insist("init_transactions", lambda: self._producer.init_transactions(_CALL_TIMEOUT_S))

    def joined(self) -> None:
        """Remember the group's generation; to be called in every assignment."""
        self._membership = self._consumer.consumer_group_metadata()

    def _commit(self, send: Callable[[], None], offsets: list[TopicPartition]) -> None:
        """Make what ``send`` produces visible together with ``offsets``, all of it or nothing.

        Raises Aborted when nothing is visible and the work must be done again; AccessError where Kafka does
        not allow it; StateError or KafkaException when the process must end and recover.
        """
        try:
            self._insist("begin_transaction", self._producer.begin_transaction)
            send()
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
            tell = _log.info if error.args[0].code() in REBALANCE else _log.warning
            tell("transaction_aborted", why=str(error.args[0]))
            self._insist("abort", lambda: self._producer.abort_transaction(_CALL_TIMEOUT_S))
            raise plain_refusal(error) or Aborted(str(error.args[0])) from error

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
                        "slot (each needs a --slot of its own); the process ends so that a fresh one "
                        "recovers from what was committed"
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
