"""Sending what was routed: from the outbox to the topics of entity outcomes, in order, at least once.

1. Read the deltas behind the last that is known to be on every topic.
2. Send them in one transaction, each to the topics that do not have it: all of them become visible, or none,
   so no gap can open.
3. After the commit store how far it came.

Whatever goes wrong, the next try begins at 1 with a producer made anew, which settles what the old one left
open. Then deltas may be sent again, with the same ``route_seq``: scorers skip them. What a kill between 2 and
3 left in doubt is looked up at the next start (``training.keeper.outbox``).
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from feature_store.clock import ARRIVED_AT
from feature_store.errors import BrokerError
from feature_store.units import to_text
from streams.kafka import KafkaException
from streams.messages import OutcomeDelta
from training.keeper.outbox import sender_id
from training.keeper.outcome_topics import outcome_topics, reached, set_reached
from training.keeper.queries import sql
from training.keeper.store import asked, transaction
from training.sole_producer import sole_producer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.kafka import Producer
    from training.keeper.parts import Parts

_MOST = 10_000
"""Deltas in one transaction; half as many after each that failed: it may have been too large for its time."""
_TIMEOUT_S = 2.0
"""The sink waits for its turn: no call to Kafka may take longer."""
_PAUSE_S = 5.0
"""After a failure; the deltas wait in the store."""

log = structlog.get_logger()


class DeltaSender:
    """Sends the outbox through a transactional producer of its own; used by the sink's thread."""

    def __init__(self, parts: Parts) -> None:
        pipeline = parts.pipeline
        self._store = parts.store
        self._writing = parts.writing
        self._confirm = parts.confirm
        self._bootstrap = parts.settings.bootstrap
        self._id = sender_id(pipeline)
        self._topics = outcome_topics(pipeline)
        self._reached: dict[str, int] = {}
        self._fields = pipeline.outcome_fields
        self._columns = ", ".join(
            [
                "route_seq, source_partition, event_id, fraud, let_through",
                "epoch_us(event_time) AS event_time, epoch_ms(arrived_at) AS arrived_at",
                *(f'"entity_{name}"' for name in self._fields),
            ]
        )
        self._producer: Producer | None = None
        self._not_before = 0.0
        self._most = _MOST

    def step(self) -> int:
        """Send what waits. Returns how many deltas Kafka has taken; 0 also while it cannot be reached."""
        if not self._fields or time.monotonic() < self._not_before:
            return 0
        self._reached = reached(self._store, self._topics)
        deltas = self._read(min(self._reached.values()))
        if not deltas:
            return 0
        if why := self._tried(deltas):
            log.warning("outcomes_not_sent", waiting=len(deltas), why=why)
            self.close()
            self._not_before = time.monotonic() + _PAUSE_S
            self._most = max(1, self._most // 2)
            return 0
        self._most = min(_MOST, 2 * self._most)
        with self._writing, transaction(self._store):
            set_reached(self._store, self._topics, dict.fromkeys(self._reached, deltas[-1]["route_seq"]))
        return len(deltas)

    def close(self) -> None:
        """Leave Kafka; what is not committed will be sent again."""
        if self._producer is not None:
            self._producer.purge()
            with suppress(KafkaException):
                self._producer.abort_transaction(_TIMEOUT_S)
        self._producer = None

    def _read(self, sent: object) -> list[dict[str, Any]]:
        query = f"SELECT {self._columns} {sql('to_send')}"
        return asked(self._store, query, {"sent": sent, "most": self._most})

    def _tried(self, deltas: list[dict[str, Any]]) -> str | None:
        """Send; why that failed, if it did."""
        try:
            self._send(deltas)
        except (BrokerError, KafkaException, BufferError) as error:
            return str(error)
        return None

    def _send(self, deltas: list[dict[str, Any]]) -> None:
        if self._producer is None:
            self._producer = sole_producer(self._bootstrap, self._id, _TIMEOUT_S, self._confirm)
        self._producer.begin_transaction()
        for delta in deltas:
            message = msgspec.json.encode(self._message(delta))
            arrived = str(delta["arrived_at"]).encode()
            for topic, place in self._places(delta):
                self._producer.produce(topic, value=message, headers=[(ARRIVED_AT, arrived)], **place)
        self._producer.commit_transaction(_TIMEOUT_S)

    def _places(self, delta: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The topics that lack the delta, and where on each it goes: who has no key is counted by nobody."""
        for topic, key in self._topics:
            if delta["route_seq"] <= self._reached[topic]:
                continue
            if key is None:
                yield topic, {"partition": delta["source_partition"]}
            elif (value := delta[f"entity_{key}"]) is not None:
                yield topic, {"key": str(value).encode()}

    def _message(self, delta: dict[str, Any]) -> OutcomeDelta:
        return OutcomeDelta(
            route_seq=delta["route_seq"],
            event_id=delta["event_id"],
            event_time=to_text(delta["event_time"]),
            fraud=delta["fraud"],
            let_through=delta["let_through"],
            entity={name: delta[f"entity_{name}"] for name in self._fields},
        )
