"""Following a topic of one partition off the hot path: read to its end, then on from a thread of its own."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from feature_store.errors import BrokerError
from streams.kafka import Consumer, TopicPartition, at_end, end_offsets, reader, start_offsets

if TYPE_CHECKING:
    from streams.kafka import Message


_SILENCE_S = 60.0


class StoppedAtStartError(Exception):
    """The process was told to stop before all was read that it needs to act."""


class TopicFollower(ABC):
    """What acts is swapped in between batches: the follower prepares it, the hot path reads one attribute.

    ``start`` reads the topic to its end before it returns, so that a starting worker never acts under
    something old. ``failure`` is what ended the thread; whoever acts must not go on then.
    """

    def __init__(self, bootstrap: str, topic: str, name: str) -> None:
        """``name`` is the thread's."""
        self._bootstrap = bootstrap
        self._topic = topic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=name, daemon=True)
        self._consumer: Consumer | None = None
        self._heard = threading.Condition()
        self._reached: int | None = None
        self.failure: BaseException | None = None

    @abstractmethod
    def _feed(self, key: bytes | None, value: bytes | None, offset: int) -> bool:
        """Remember a record; whether there is something to take now."""

    @abstractmethod
    def _take(self) -> int | None:
        """Act on what was remembered; up to where all has been taken or rejected, None for nothing yet."""

    def _first(self, start: int, end: int) -> int:
        """Where to begin, ``start`` and ``end`` being those of the topic now."""
        del end
        return start

    def _due_again(self) -> bool:
        """Whether to take again though nothing was heard: what could not be taken then may be there now."""
        return False

    def start(self, told_to_stop: threading.Event | None = None) -> None:
        """Take what is there, then follow in the background.

        Raises StoppedAtStartError when ``told_to_stop`` is set meanwhile, BrokerError when Kafka is silent.
        """
        consumer = self._consumer = reader(self._bootstrap, end_events=True)
        start, end = start_offsets(consumer, self._topic)[0], end_offsets(consumer, self._topic)[0]
        first = self._first(start, end)
        consumer.assign([TopicPartition(self._topic, 0, first)])
        if first < end:
            self._read_until(consumer, end, told_to_stop or threading.Event())
        self._settle()
        self._thread.start()

    def _read_until(self, consumer: Consumer, end: int, told_to_stop: threading.Event) -> None:
        heard = time.monotonic()
        while not told_to_stop.is_set():
            done = False
            first = consumer.poll(0.5)  # `consume` alone would wait all the time for its 500
            for message in [] if first is None else [first, *consumer.consume(500, 0)]:
                done = done or at_end(message) or (message.offset() or 0) >= end - 1
                if message.error() is None:
                    heard = time.monotonic()
                self._hear(message)
            if done:
                return
            if time.monotonic() - heard > _SILENCE_S:
                consumer.close()
                raise BrokerError(f"{self._topic}: Kafka sent nothing for {_SILENCE_S:.0f} s; is it there?")
        consumer.close()
        raise StoppedAtStartError

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def wait_for(self, position: int, patience_s: float = 10.0) -> bool:
        """Return when what stands at ``position`` was taken or rejected; False after ``patience_s``.

        Whoever decided a partition before may have heard of it sooner; what acts must not go back.
        """
        with self._heard:
            return self._heard.wait_for(
                lambda: self._reached is not None and self._reached >= position, patience_s
            )

    def _follow(self) -> None:
        consumer = self._consumer
        if consumer is None:
            return
        try:
            while not self._stop.is_set():
                heard = [self._hear(message) for message in consumer.consume(500, 0.2)]
                if any(heard) or self._due_again():
                    self._settle()
        except BaseException as error:  # noqa: BLE001  (handed to whoever acts, which ends the process)
            self.failure = error
        finally:
            consumer.close()

    def _hear(self, message: Message) -> bool:
        if message.error() is not None:
            at_end(message)  # raises what will not pass: a follower that hears nothing must not go on
            return False
        return self._feed(message.key(), message.value(), message.offset() or 0)

    def _settle(self) -> None:
        reached = self._take()
        with self._heard:
            self._reached = reached
            self._heard.notify_all()
