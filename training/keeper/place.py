"""The one place of a pipeline's keeper: how it is taken, told and lost.

The lock of a state folder keeps two keepers on it apart. Two on different folders would train twice, both
publish, and number outcomes each its own way, so that scorers pass over some and count others twice. So

1. the place is the one member, under one fixed name, of the group ``sluicegate.<pipeline>.keeper``;
2. its holder keeps a note there, committed as the group's offset is: who it is, and a beat that moves;
3. a newcomer reads the note. Is the holder certainly gone, it takes the place at once; does the beat move, it
   ends and says who is there; does it stand still for ``take_over_s``, it takes the place;
4. whoever takes it under the name has it: Kafka refuses the one before from then on, which ends;
5. the newcomer then makes each of the keeper's transactional producers anew, which fences the old ones,
   before it reads what they wrote. A keeper that makes a producer anew asks whether the place is still its
   own (``confirm``) before it writes: one that was frozen and replaced so writes nothing more.

No clocks are compared: the newcomer watches with its own.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import structlog

from feature_store.errors import BrokerError, StateError, StorageError
from streams.kafka import (
    KafkaError,
    KafkaException,
    TopicPartition,
    close_within,
    group_consumer,
    place_taken,
    plain_refusal,
)
from streams.kafka.refused import not_allowed
from streams.kafka.tail import watermarks
from training.keeper.holder import Holder, holder_in, note_on
from training.keeper.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Consumer

TAKE_OVER_S = 15.0
"""A keeper that was not seen for so long is replaced by one that waits."""
_BEAT_S = 2.0
_LOOK_S = 0.25
_ANSWER_S = 0.02
_SESSION_MS = 300_000
"""Nobody waits for it: a newcomer takes the name. After it a keeper that is cut off must begin anew, so it is
as long as any broker allows: Kafka may be away for minutes."""
_JOIN_S = 60.0
_CALL_S = 10.0
_LEAVE_S = 2.0
_LOST = {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION}

log = structlog.get_logger()


class PlaceTakenError(StorageError):
    """Another keeper of this pipeline runs, on another state folder."""


class PlaceLostError(StateError):
    """This keeper is its pipeline's keeper no more; it must not write anything."""


class Place(Worker):
    """Taken once by ``take``, kept by a thread until ``close``; ``confirm`` and ``check`` from any thread."""

    def __init__(
        self, bootstrap: str, pipeline: Pipeline, state_dir: Path, take_over_s: float = TAKE_OVER_S
    ) -> None:
        """To be made under the lock of ``state_dir``, when the topics are there."""
        super().__init__("place")
        self._bootstrap = bootstrap
        self._pipeline = pipeline.name
        self._group = f"sluicegate.{pipeline.name}.keeper"
        self._topic = pipeline.topics.policy
        self._take_over_s = take_over_s
        self._me = Holder.of(state_dir)
        self._offset = 0
        self._joined = False
        self._gone = False
        self._sent = self._answers = 0
        self._answer: KafkaError | None = None
        self._hurry = threading.Event()
        self._told = threading.Condition()
        self._begun = self._done = 0
        self._consumer = self._client(self._answered)

    def take(self, stop: threading.Event) -> bool:
        """Wait until the place is free, and take it; False when ``stop`` was set first.

        Raises PlaceTakenError naming a holder that lives, BrokerError where Kafka does not answer.
        """
        try:
            if not self._free(stop):
                return False
            self._join()
        except KafkaException as error:
            raise self._refused(error.args[0]) or BrokerError(
                f"group {self._group!r}: Kafka does not give the keeper its place: {error}"
            ) from error
        self.start()
        self.confirm()
        return True

    def confirm(self) -> None:
        """Ask Kafka whether the place is still this keeper's. To be called after a producer was made anew.

        Raises PlaceLostError where it is not, BrokerError where Kafka does not say.
        """
        with self._told:
            wanted = self._begun + 1
            self._hurry.set()
            self._told.wait_for(lambda: self._done >= wanted or self._error is not None, _CALL_S)
            self.check()
            if self._done < wanted:
                raise BrokerError(
                    f"group {self._group!r}: Kafka does not say whether this is still the pipeline's keeper; "
                    "nothing is written until it does"
                )

    def close(self) -> None:
        """Leave the place to whoever comes."""
        self._stop.set()
        self._hurry.set()
        self.stop()
        if self._joined and self._error is None and not self._gone:
            with suppress(KafkaException, PlaceLostError):
                self._note(msgspec.structs.replace(self._me, left=True), _LEAVE_S)
        close_within(self._consumer, _LEAVE_S)

    def _free(self, stop: threading.Event) -> bool:
        first = self._read()
        found = holder_in(first)
        if not first or (found is not None and found.is_gone(self._me)):
            return not stop.is_set()
        log.warning("keeper_waits", why="another keeper has this pipeline", held_by=str(found or first))
        until = time.monotonic() + self._take_over_s
        while not stop.wait(_LOOK_S):
            asked = time.monotonic()
            note = self._read()
            if time.monotonic() - asked > _BEAT_S:  # Kafka was silent, so the holder could not be heard
                until = time.monotonic() + self._take_over_s
            found = holder_in(note)
            if found is not None and found.is_gone(self._me):
                return True
            if note != first:
                raise PlaceTakenError(
                    f"another keeper of pipeline {self._pipeline!r} runs: {found or note}. There is one "
                    "keeper per pipeline: stop that one first, or give this pipeline another name"
                )
            if time.monotonic() > until:
                log.warning("keeper_takes_over", silent_s=self._take_over_s, held_by=str(found or first))
                return True
        return False

    def _read(self) -> str:
        return note_on(self._consumer, self._topic)

    def _join(self) -> None:
        self._offset = watermarks(self._consumer, self._topic, 0)[1]
        self._consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )
        deadline = time.monotonic() + _JOIN_S
        while not self._joined:
            self._poll(_LOOK_S)
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"group {self._group!r}: Kafka did not let the keeper in for {_JOIN_S:.0f} s"
                )

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self._beat()
                self._hurry.wait(_BEAT_S)
                self._hurry.clear()
        except BaseException as error:
            with self._told:
                self._error = error
                self._told.notify_all()
            raise

    def _beat(self) -> None:
        with self._told:
            self._begun += 1
            beat = self._begun
        if self._note(msgspec.structs.replace(self._me, beat=beat), _CALL_S):
            with self._told:
                self._done = beat
                self._told.notify_all()

    def _note(self, holder: Holder, patience_s: float) -> bool:
        """Commit a note, as who holds the place; whether Kafka has it. Raises PlaceLostError."""
        self._poll(0)
        text = msgspec.json.encode(holder).decode()
        try:
            self._consumer.commit(
                offsets=[TopicPartition(self._topic, 0, self._offset, metadata=text)], asynchronous=True
            )
        except KafkaException as error:
            self._judge(error.args[0])
            return False
        self._sent += 1
        until = time.monotonic() + patience_s
        while self._answers < self._sent and time.monotonic() < until:
            if self._stop.is_set() and not holder.left:
                break
            self._poll(_ANSWER_S)
        return self._answers == self._sent and self._answer is None

    def _poll(self, wait_s: float) -> None:
        message = self._consumer.poll(wait_s)
        for error in (message.error() if message is not None else None, self._answer):
            if error is not None:
                self._judge(error)
        if self._gone:
            raise self._lost()

    def _judge(self, error: KafkaError) -> None:
        if place_taken(error):
            raise self._lost("another process has come under its name")
        if error.code() in _LOST:
            raise self._lost()
        if refused := self._refused(error):
            raise refused

    def _refused(self, error: KafkaError) -> BrokerError | None:
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return not_allowed(f"group {self._group!r}", "Read")
        return plain_refusal(error, f"topic {self._topic!r}", "Read")

    def _lost(
        self, why: str = f"it was away from Kafka for longer than {_SESSION_MS // 1_000} s"
    ) -> PlaceLostError:
        self._gone = True
        with suppress(KafkaException):
            asking = self._client(None)
            try:
                found = holder_in(note_on(asking, self._topic))
            finally:
                asking.close()
            if found is not None and (found.folder_id, found.pid) != (self._me.folder_id, self._me.pid):
                why = f"another keeper of pipeline {self._pipeline!r} has taken it: {found}"
        return PlaceLostError(
            f"this keeper has lost its place: {why}. It ends before it writes anything more; one that starts "
            "anew takes up what stands on the topics"
        )

    def _answered(self, error: KafkaError | None, _offsets: list[TopicPartition]) -> None:
        self._answers, self._answer = self._answers + 1, error

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign([TopicPartition(p.topic, p.partition, self._offset) for p in partitions])
        consumer.pause(partitions)  # the membership is what counts, not what is on the topic
        self._joined = self._joined or bool(partitions)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        self._gone = self._gone or not self._stop.is_set()

    def _client(
        self, on_commit: Callable[[KafkaError | None, list[TopicPartition]], None] | None
    ) -> Consumer:
        return group_consumer(
            self._bootstrap,
            self._group,
            session_timeout_ms=_SESSION_MS,
            client_id=self._group,
            instance=self._group,
            on_commit=on_commit,
        )
