"""Scores of shadows stand on the decisions alone: these are read while a release has shadows, not else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import structlog

from feature_store.declaration.decision import Action
from feature_store.errors import BrokerError
from streams.kafka import Consumer, KafkaException, TopicPartition, at_end, end_offsets, reader, start_offsets
from streams.monitor.agreement import NEWEST

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Message
    from streams.monitor.agreement import Agreement
    from streams.monitor.releases import Acting

_AT_ONCE = 1_000
_WAIT_S = 0.5
_AGAIN_S = 10.0
_log = structlog.get_logger()


class _Scored(msgspec.Struct):
    """What is read of a decision."""

    model: str | None
    policy_action: str
    score: float | None
    shadow: dict[str, float] = {}
    amends: dict[str, object] | None = None


_DECODER = msgspec.json.Decoder(_Scored)


class Shadowed:
    """Reads decisions into ``agreement``, in a thread of its own."""

    def __init__(self, bootstrap: str, pipeline: Pipeline, agreement: Agreement) -> None:
        self._bootstrap = bootstrap
        self._topic = pipeline.topics.decisions
        self._agreement = agreement
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="shadowed", daemon=True)

    def start(self) -> None:
        """Begin, once a release has shadows."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join(10)

    def under(self, acting: Acting) -> None:
        """Read, or rest, as the release asks."""
        with self._lock:
            self._agreement.under(acting)
        if acting.shadows:
            self._wanted.set()
        else:
            self._wanted.clear()

    def status(self) -> list[dict[str, object]]:
        """The figures, one entry per shadow."""
        with self._lock:
            return self._agreement.status()

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            if self._stopping.is_set():
                return
            try:
                self._read()
            except (BrokerError, KafkaException) as error:
                _log.warning("monitor_shadows_unread", why=str(error))
                self._stopping.wait(_AGAIN_S)

    def _read(self) -> None:
        consumer = reader(self._bootstrap)
        try:
            self._assign(consumer)
            while self._wanted.is_set() and not self._stopping.is_set():
                self._count(consumer.consume(_AT_ONCE, _WAIT_S))
        finally:
            consumer.close()

    def _assign(self, consumer: Consumer) -> None:
        """As far back as is remembered: figures are there at once, also after a restart."""
        ends, starts = end_offsets(consumer, self._topic), start_offsets(consumer, self._topic)
        back = NEWEST // max(len(ends), 1)
        with self._lock:
            self._agreement.begin_anew()
        consumer.assign(
            [
                TopicPartition(self._topic, partition, max(starts[partition], end - back))
                for partition, end in ends.items()
            ]
        )

    def _count(self, messages: list[Message]) -> None:
        found = [scored for message in messages if (scored := _scored(message)) is not None]
        approve = str(Action.APPROVE)
        with self._lock:
            for each in found:
                stopped = each.policy_action != approve
                self._agreement.add(each.model, each.score or 0.0, each.shadow, stopped=stopped)


def _scored(message: Message) -> _Scored | None:
    """What the decision says, where shadows have scored it, too; None for any other."""
    if message.error() is not None:
        at_end(message)  # raises what will not pass
        return None
    try:
        found = _DECODER.decode(message.value() or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if found.shadow and found.score is not None and found.amends is None else None
