"""The keeper as the only writer of the compacted topics: a change is one transaction, or nothing.

1. The keeper's producer is made anew: a transaction that an earlier keeper left open is aborted, the earlier
   keeper itself is fenced. Whether this one is still the keeper is asked after that.
2. The change reads the topic to its end and says which records follow.
3. They are one transaction.

Models and policy share one writer: two producers of one id would fence each other.
"""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from feature_store.errors import BrokerError
from streams.kafka import KafkaException
from training.sole_producer import by_nobody_else, settle, sole_producer

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka import KafkaError, Message, Producer

_TIMEOUT_S = 30.0
_TRIES = 5

Records = list[tuple[bytes, bytes | None]]
"""Keys and values; no value is a tombstone."""

Made = TypeVar("Made")


class KeeperWriter:
    """Writes under the keeper's transactional id, one change at a time; usable from any thread."""

    def __init__(self, bootstrap: str, pipeline: str, confirm: Callable[[], None] = by_nobody_else) -> None:
        """Know the broker and the name of the pipeline; nothing is opened yet.

        ``confirm`` raises where this process is the pipeline's keeper no more.
        """
        self._bootstrap = bootstrap
        self._id = f"sluicegate.{pipeline}.keeper"
        self._confirm = confirm
        self._one_at_a_time = threading.Lock()

    def write(self, topic: str, change: Callable[[], tuple[Records, Made]]) -> tuple[Made, int]:
        """Write the records that ``change`` gives; return what it made, and the offset of the last record.

        ``change`` is called when nobody else can write any more. Raises what it raises; BrokerError when
        nothing was written.
        """
        with self._one_at_a_time:
            try:
                with closing(sole_producer(self._bootstrap, self._id, _TIMEOUT_S, self._confirm)) as producer:
                    records, made = change()
                    offset = _commit(producer, topic, records)
            except KafkaException as error:
                raise BrokerError(f"{topic}: not published: {error}") from error
        return made, offset

    def settle(self) -> None:
        """End what an earlier keeper left open, and keep it from writing more. Raises BrokerError."""
        with self._one_at_a_time:
            settle(self._bootstrap, self._id, "what an earlier keeper published")


def _commit(producer: Producer, topic: str, records: Records) -> int:
    offsets: list[int] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is None:
            offsets.append(message.offset() or 0)

    producer.begin_transaction()
    try:
        for key, value in records:
            producer.produce(topic, key=key, value=value, partition=0, on_delivery=delivered)
        producer.flush(_TIMEOUT_S)
        _commit_for_certain(producer)
    except (KafkaException, BufferError):
        producer.abort_transaction(_TIMEOUT_S)
        raise
    return offsets[-1]


def _commit_for_certain(producer: Producer) -> None:
    """Commit; a result that is unknown is asked for again, since the same commit counts once."""
    for tried in range(1, _TRIES + 1):
        try:
            producer.commit_transaction(_TIMEOUT_S)
        except KafkaException as error:
            if not error.args[0].retriable() or tried == _TRIES:
                raise
        else:
            return
