"""The loop of a sink worker: gather what comes, write it down as stretches, never past a gap.

The consumer group only shares partitions out; no offset is committed to it. Where a partition goes on is said
by the folder: at the end of what reaches, without a gap, from the keeper's offset on. So a worker that is
killed, or loses a partition, leaves nothing that another would have to know; and where the keeper has gone
back, as after a restore, what it lacks is written again.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import StorageError
from streams.kafka import Consumer, Handovers, Message, TopicPartition
from training.sink.folder import SinkFolder, kinds_of
from training.sink.reading import reached_end
from training.sink.stretch import Kind, Name, covered
from training.sink.written import written

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

    from feature_store.declaration.pipeline import Pipeline
    from training.sink.folder import At

_ONE_CALL = 2_000
_WAIT_S = 0.1
_MOST_BYTES = 128 * 1024 * 1024
"""Of raw messages in memory, over all partitions."""
_MOST_AHEAD = 64
"""Stretches of one partition that may wait for the keeper: Kafka keeps the rest better."""

log = structlog.get_logger()


@dataclass
class _Gathered:
    first: int
    next: int
    messages: list[Message] = field(default_factory=list)


class SinkWorker:
    """One worker; used by one thread."""

    def __init__(self, pipeline: Pipeline, consumer: Consumer, folder: SinkFolder, cluster: str) -> None:
        self._kinds = kinds_of(pipeline)
        self._topics = {kind: topic for topic, kind in self._kinds.items()}
        self._every_s = pipeline.training.sink.every / 1e6
        self._consumer = consumer
        self._folder = folder
        self._cluster = cluster
        self._writer = secrets.token_hex(4)
        self._handovers = Handovers(consumer)
        self._held: dict[At, _Gathered] = {}
        self._bytes = 0
        self._since = time.monotonic()
        self._full = False
        self._failure: BaseException | None = None
        self.records = 0
        """Records written down."""

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``. Raises StorageError, BrokerError, ContractError or KafkaException."""
        told = False
        while not self.begin():
            if not told:
                log.info("sink_waits_for_keeper", folder=str(self._folder.path))
                told = True
            if stop.wait(_WAIT_S):
                return
        log.info("sink_ready")
        while not stop.is_set():
            self.turn()

    def begin(self) -> bool:
        """Join the group; False where no keeper has said yet where to begin."""
        if self._folder.taken() is None:
            return False
        callbacks = {"on_assign": self._on_assign, "on_revoke": self._on_lost, "on_lost": self._on_lost}
        self._consumer.subscribe([*self._kinds], **callbacks)
        return True

    @property
    def partitions(self) -> int:
        """How many it holds, of both topics."""
        return len(self._held)

    def turn(self) -> None:
        """Take what has come; write it down when it is time. Raises as ``run`` does."""
        messages = self._handovers.consume(_ONE_CALL, _WAIT_S)
        if self._failure is not None:
            raise self._failure
        self._handovers.go_back(
            {(self._topics[kind], p): held.next for (kind, p), held in self._held.items()}
        )
        for message in messages:
            self._gather(message)
        if self._bytes >= _MOST_BYTES or time.monotonic() - self._since >= self._every_s:
            self._write()

    def _gather(self, message: Message) -> None:
        error = message.error()
        ended = error is not None and reached_end(message, error)
        if error is not None and not ended:
            return
        held = self._held.get((self._kinds[message.topic() or ""], message.partition() or 0))
        offset = message.offset() or 0
        if held is None or offset < held.next:
            return  # handed over meanwhile; or the end that is known
        if not ended:
            held.messages.append(message)
            self._bytes += len(message)
        held.next = offset + (not ended)

    def _write(self) -> None:
        self._since = time.monotonic()
        if not self._room():
            return
        for at, held in self._held.items():
            if held.next > held.first:
                self._write_one(at, held)
        self._bytes = 0

    def _write_one(self, at: At, held: _Gathered) -> None:
        kind, partition = at
        stretch, tables = written(self._cluster, self._topics[kind], kind, held.messages)
        self._folder.write(Name(kind, partition, held.first, held.next, self._writer), stretch, tables)
        self.records += len(held.messages)
        self._held[at] = _Gathered(held.next, held.next)

    def _room(self) -> bool:
        """Whether the keeper keeps up; and go back where it has gone back."""
        ends, ahead = self._standing(list(self._held))
        lacking = [at for at, held in self._held.items() if ends[at] < held.first]
        if lacking:
            log.warning("sink_goes_back", partitions=[f"{self._topics[kind]}[{p}]" for kind, p in lacking])
            self._consumer.incremental_unassign(self._places(lacking))
            self._assign({at: ends[at] for at in lacking})
        full = max(ahead.values(), default=0) >= _MOST_AHEAD
        if full != self._full:
            self._full = full
            log.info("sink_waits_for_room" if full else "sink_goes_on", folder=str(self._folder.path))
            self._consumer.resume(self._places(self._held))
        if full:  # also what was taken over meanwhile
            self._consumer.pause(self._places(self._held))
        return not full

    def _standing(self, partitions: list[At]) -> tuple[dict[At, int], dict[At, int]]:
        """How far each partition is written down without a gap, and how many stretches of it wait."""
        stretches = self._folder.stretches()  # first: what goes between the two is below what is told then
        taken = self._folder.taken()
        if taken is None or taken.cluster != self._cluster:
            raise StorageError(
                f"{self._folder.path}: of another Kafka cluster than this worker's, or emptied while it ran; "
                "give each pipeline and cluster a folder of its own (training.sink.folder)"
            )
        ends, ahead = {}, {}
        for kind, partition in partitions:
            at = taken.offsets.get(kind, {}).get(partition)
            if at is None:
                raise StorageError(
                    f"{self._topics[kind]}[{partition}]: the keeper does not know it; start the keeper anew"
                )
            waiting = [each for each in stretches.get((kind, partition), []) if each.next > at]
            ends[kind, partition], ahead[kind, partition] = covered(waiting, at), len(waiting)
        return ends, ahead

    def _assign(self, places: dict[At, int]) -> None:
        for at, end in places.items():
            self._held[at] = _Gathered(end, end)
        self._consumer.incremental_assign(
            [TopicPartition(self._topics[kind], partition, end) for (kind, partition), end in places.items()]
        )

    def _on_assign(self, _: Consumer, gained: list[TopicPartition]) -> None:
        try:
            self._assign(self._standing([self._at(place) for place in gained])[0])
        except BaseException as error:  # noqa: BLE001  (none may pass through the client's C code)
            self._failure = error

    def _on_lost(self, consumer: Consumer, lost: list[TopicPartition]) -> None:
        self._handovers.given_up(lost)
        for place in lost:
            self._held.pop(self._at(place), None)
        if lost:
            consumer.incremental_unassign(lost)

    def _places(self, partitions: Iterable[At]) -> list[TopicPartition]:
        return [TopicPartition(self._topics[kind], partition) for kind, partition in partitions]

    def _at(self, place: TopicPartition) -> tuple[Kind, int]:
        return self._kinds[place.topic], place.partition
