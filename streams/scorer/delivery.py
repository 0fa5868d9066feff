"""The commit of a step without a transaction: at least once, and sooner visible.

1. Decisions and dead letters are sent, and Kafka confirms each of them.
2. Then the feature log is sent, and Kafka confirms it: the step is committed. Whoever takes the partition
   over reads the log to its end and goes on from there; so what the log has was decided, and what it does not
   have is decided again.
3. The group's offsets follow, at most once a second and without waiting: nobody depends on them but those who
   watch how far behind the group is. What a handover refuses is told again with what comes next, or at last;
   where it outlasts the process, by whoever takes the partition over.

If the process dies before 2 is complete, events of one step are decided a second time. What is not confirmed
in time ends the process: a fresh one finds out what the log has.

A process that was given up but lives may do both, too, since nothing fences it. Its decisions are seen; its
log is written under a claim that is no longer in force, so no reader counts it (``feature_store.claims``).
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from feature_store.errors import StateError
from streams.kafka import (
    REBALANCE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Patience,
    Producer,
    TopicPartition,
    passes,
    plain_refusal,
)
from streams.scorer.committed import to_offset
from streams.scorer.messages import LogOffsets, StepMessages
from streams.scorer.records import LogMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.scorer.records import Position, StepResult

_log = structlog.get_logger()
_EVERY_S = 1.0
_LAST_S = 5.0  # how long a process that ends waits for the group to take where it stands
_CONNECT_S = 10.0
_PAUSE_S = 0.1


class Deliveries:
    """Commits steps with an idempotent producer; a delivery that fails ends the process."""

    def __init__(
        self,
        producer: Producer,
        consumer: Consumer,
        pipeline: Pipeline,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._producer = producer
        self._consumer = consumer
        self._topics = pipeline.topics
        self._patience_s = pipeline.serving.commit_patience / 1e6
        self._patience = Patience(1.5 * self._patience_s)
        self._messages = StepMessages(producer, pipeline.topics)
        self._failed: KafkaError | None = None
        self._positions: dict[int, Position] = {}
        self._asked: dict[int, Position] = {}
        """What the group was told without waiting, and has not answered yet."""
        self._due = 0.0

    def start(self) -> None:
        """Connect, so that the first step need not."""
        with suppress(KafkaException):
            self._producer.list_topics(timeout=_CONNECT_S)

    def joined(self) -> None:
        """An assignment: offsets are committed under the consumer's own generation."""

    def commit(self, result: StepResult) -> dict[int, int]:
        """Make the step visible.

        Returns the offset of the last feature log message of each partition. Raises AccessError where Kafka
        does not allow it; StateError or KafkaException when the process must end and recover.
        """
        self._messages.decisions(result.decided, self._heard)  # 1
        self._messages.dead_letters(result.refused, self._heard)
        self._confirmed()
        logged = LogOffsets()
        self._log(result.log, logged)  # 2
        self._positions |= result.positions
        self.turn()  # 3
        return logged.last

    def turn(self) -> None:
        """Between two steps: offsets follow, where it is time."""
        if self._positions and self._now() >= self._due:
            self._due = self._now() + _EVERY_S
            self._follow()

    def claim(self, records: dict[int, bytes], positions: dict[int, Position]) -> dict[int, int]:
        """Note the numbers of claims in the group, and write the messages that make them.

        Returns the offset of each. The group takes numbers only from its members: whom it has given up gets
        none. Raises StateError where it takes none from this process, else as ``commit`` does.
        """
        self._note(self._offsets(positions))
        for partition in positions:  # what was told before is older
            self._positions.pop(partition, None)
            self._asked.pop(partition, None)
        logged = LogOffsets()
        self._log([LogMessage(partition, record) for partition, record in records.items()], logged)
        return logged.last

    def stand(self, positions: dict[int, Position]) -> None:
        """Partitions that were just assigned stand here, by their log: the group's offsets follow."""
        if positions:
            self._commit(positions)

    def finish(self) -> None:
        """Commit what the group does not have yet. A handover may be under way: not for long, and only while
        the client is polled.
        """
        self._positions = self._asked | self._positions
        deadline = time.monotonic() + _LAST_S
        while moved := self._moved():
            try:
                self._consumer.commit(offsets=self._offsets(moved), asynchronous=False)
            except KafkaException as error:
                if time.monotonic() < deadline and (
                    error.args[0].code() in REBALANCE or passes(error.args[0])
                ):
                    self._go_on_with_handovers()
                    continue
                self._complain(error.args[0])
            return

    def _go_on_with_handovers(self) -> None:
        """Events that come meanwhile are left to whoever gets the partitions next."""
        until = time.monotonic() + _PAUSE_S
        while (left := until - time.monotonic()) > 0:
            self._consumer.poll(left)

    def told(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        """Hears of commits that were not waited for. One that fails is done again with the next one."""
        for each in offsets:
            asked = self._asked.get(each.partition)
            if asked is None or asked.events != each.offset:
                continue  # somebody else's by now, or told anew
            del self._asked[each.partition]
            if error or each.error:
                self._positions.setdefault(each.partition, asked)
        for problem in filter(None, [error, *(each.error for each in offsets)]):
            self._complain(problem)

    def _complain(self, problem: KafkaError) -> None:
        if problem.code() not in REBALANCE:  # part of every handover
            if (refused := plain_refusal(problem)) is not None:
                _log.error("offsets_not_committed", why=str(refused))
            else:
                _log.warning("offsets_not_committed", why=problem.str())

    def _log(self, messages: list[LogMessage], logged: LogOffsets) -> None:
        def heard(error: KafkaError | None, message: Message) -> None:
            self._heard(error, message)
            logged.note(error, message)

        self._messages.log(messages, heard)
        self._confirmed()

    def _heard(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed = error

    def _confirmed(self) -> None:
        """Wait until Kafka has everything that was sent."""
        left = self._producer.flush(self._patience_s)
        if self._failed is not None:
            raise plain_refusal(self._failed) or StateError(
                f"a record was not delivered: {self._failed.str()}; the process ends so that a fresh one "
                "recovers from what the feature log has"
            )
        if left:
            raise StateError(
                f"Kafka did not confirm {left} records within {self._patience_s:.0f} s; the process ends so "
                "that a fresh one recovers from what the feature log has"
            )

    def _follow(self) -> None:
        moved, self._positions = self._moved(), {}
        if moved:
            self._commit(moved)

    def _moved(self) -> dict[int, Position]:
        """What the group is to be told of the partitions that are still held."""
        held = {tp.partition for tp in self._consumer.assignment()}
        return {p: at for p, at in self._positions.items() if p in held}

    def _commit(self, positions: dict[int, Position]) -> None:
        self._asked |= positions
        with suppress(KafkaException):  # the next one says where the group stands, too
            self._consumer.commit(offsets=self._offsets(positions))

    def _offsets(self, positions: dict[int, Position]) -> list[TopicPartition]:
        return [to_offset(self._topics.events, p, at) for p, at in positions.items()]

    def _note(self, offsets: list[TopicPartition]) -> None:
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                with self._patience.over("commit"):
                    self._consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as error:
                problem = error.args[0]
                if problem.code() in REBALANCE or time.monotonic() > deadline:
                    raise StateError(
                        f"the group did not take the claim of this scorer: {problem.str()}; the process ends "
                        "and a fresh one joins anew"
                    ) from error
                if not passes(problem):
                    raise plain_refusal(error) or error from error
                time.sleep(_PAUSE_S)
            else:
                return
