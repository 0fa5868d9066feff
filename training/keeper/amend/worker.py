"""Amending, one look at a time, in a thread of its own.

1. Late events wait in the store: the sink put them there with their rows.
2. A producer made anew settles what an earlier one left open: it is on the topic now, or never will be.
3. Wait until the sink has read everything that is written by now. Then the store has all that was applied
   before those events, their first decisions, and every amended decision that was ever sent: an event that
   has one is settled. The message itself is the mark.
4. Of the others compute the features on whole windows, and decide again where they differ.
5. Store what became of those that are not amended, and send the others in one transaction.

Killed before the commit, nothing of it is visible and all is done again; killed after it, the next one finds
in 3 what was sent. So an amended decision is there once.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import BrokerError, ContractError
from streams.kafka import KafkaException, end_offsets, reader
from training.keeper.amend.settling import Settling
from training.keeper.queries import sql
from training.keeper.store import transaction
from training.keeper.worker import Worker
from training.sole_producer import sole_producer

if TYPE_CHECKING:
    import pyarrow as pa

    from streams.kafka import Consumer, Producer
    from training.keeper.amend.settling import Amendment
    from training.keeper.parts import Parts
    from training.keeper.progress import Offsets

_MOST = 500
"""Late events in one look."""
_TIMEOUT_S = 10.0
_PAUSE_S = 5.0
"""After a failure; what waits is in the store."""

log = structlog.get_logger()


class Amender(Worker):
    """Settles the late events of a pipeline that declares ``features.late: amend``."""

    def __init__(self, parts: Parts) -> None:
        super().__init__("amendments")
        self._parts = parts
        self._store = parts.store.cursor()
        self._store.execute(sql("create_policies"))
        self._settling = Settling(parts, self._store)
        self._bootstrap = parts.settings.bootstrap
        self._topics = parts.pipeline.topics
        self._id = f"sluicegate.{parts.pipeline.name}.keeper.amendments"
        self._producer: Producer | None = None
        self._asking: Consumer | None = None

    def start(self) -> None:
        """Begin to work; an earlier keeper may have left something."""
        self._parts.late_came.set()
        super().start()

    def stop(self) -> None:
        """End the thread and leave Kafka; what is not committed is done again by the next keeper."""
        self._stop.set()
        self._parts.late_came.set()
        super().stop()
        self.close()

    def step(self) -> int:
        """One look; how many late events it found waiting. To be called while the sink goes on.

        Raises BrokerError, KafkaException, BufferError, ContractError; the same look can be tried again.
        """
        if not self._settling.any_waiting():  # 1
            return 0
        producer = self._producer or self._new_producer()  # 2
        if not self._parts.progress.wait_for(self._written(), self._stop):  # 3
            return 0
        with self._parts.writing, transaction(self._store):
            self._store.execute(sql("settle_read_back"))
        waiting = self._settling.waiting(_MOST)
        settled, amendments = self._settling.look(waiting)  # 4
        with self._parts.writing, transaction(self._store):
            self._settling.store(settled)
        if amendments:
            self._send(producer, amendments)  # 5
        if waiting.num_rows:
            log.info("late_events_looked_at", amended=len(amendments), **_counted(settled))
        return waiting.num_rows

    def close(self) -> None:
        """Drop the clients; the next step makes them anew."""
        if self._producer is not None:
            self._producer.purge()
            with suppress(KafkaException):
                self._producer.abort_transaction(_TIMEOUT_S)
        if self._asking is not None:
            self._asking.close()
        self._producer = self._asking = None

    def _work(self) -> None:
        while not self._stop.is_set():
            self._parts.late_came.wait()
            self._parts.late_came.clear()
            self._work_off()

    def _work_off(self) -> None:
        try:
            while not self._stop.is_set() and self.step():
                pass
        except (BrokerError, KafkaException, BufferError, ContractError) as error:
            log.warning("amendments_wait", error=str(error))
            self.close()
            self._parts.late_came.set()
            self._stop.wait(_PAUSE_S)

    def _new_producer(self) -> Producer:
        producer = sole_producer(self._bootstrap, self._id, _TIMEOUT_S, self._parts.confirm)
        self._producer = producer
        return producer

    def _written(self) -> Offsets:
        """Where log and decisions end now, with what is open: the scorer's own commit may still be on its
        way to some partitions.
        """
        if self._asking is None:
            self._asking = reader(self._bootstrap, uncommitted=True)
        return {
            (topic, partition): end
            for topic in (self._topics.features, self._topics.decisions)
            for partition, end in end_offsets(self._asking, topic).items()
        }

    def _send(self, producer: Producer, amendments: list[Amendment]) -> None:
        producer.begin_transaction()
        for each in amendments:
            producer.produce(
                self._topics.decisions,
                value=each.message,
                key=each.key,
                headers=[("event_id", each.event_id.encode()), ("model", each.model.encode()), *each.trace],
                partition=each.partition,
            )
        producer.commit_transaction(_TIMEOUT_S)


def _counted(settled: pa.Table) -> dict[str, int]:
    return dict(Counter(str(reason) for reason in settled["settled"].to_pylist()))
