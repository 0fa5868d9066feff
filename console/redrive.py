"""Sending dead letters again, to the partition that they came from.

1. Choose: read the topic once and note which letters go, and why others cannot.
2. Send: read it again and send those, under their own key, bytes and headers.

A letter leaves no id behind, so its event is decided as if it were new; afterwards the id is known, and the
same letter sent again within the window of duplicates is one. What is refused again becomes a letter again:
nothing goes round by itself.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from console.dead_letters import all_letters
from feature_store.clock import ARRIVED_AT, clock_named
from feature_store.errors import BrokerError
from streams.kafka import (
    KafkaException,
    end_offsets,
    headers_of,
    plain_producer,
    read_range,
    reader,
    start_offsets,
)
from streams.messages.dead_letter import REDRIVEN_FROM

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.dead_letters import DeadLetter, EventIds, Place, Selection
    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import KafkaError, Message, Producer

_LOOK_BACK = 50
"""Records before a partition's end, some of which may be marks of transactions."""
_FLUSH_S = 120.0
_TELL_EVERY = 1_000
_REPEATED = "the same key and bytes as another one that goes"


@dataclass(frozen=True)
class Choice:
    """What a redrive would do."""

    going: frozenset[Place]
    reasons: Counter[str]
    """Of those that go."""
    stay: Counter[str]
    """Why others cannot go, in words."""


class Sent(NamedTuple):
    """What became of a redrive."""

    taken: int
    refused: int
    why: str | None
    """The first refusal, in Kafka's words."""


def choose(
    bootstrap: str,
    pipeline: Pipeline,
    selection: Selection,
    event_id: EventIds,
    tell: Callable[[str, int, int], None],
) -> Choice:
    """Which letters go; nothing is sent. ``tell`` is told how many were read. Raises BrokerError."""
    topics = pipeline.topics
    consumer = reader(bootstrap)
    try:
        partitions = frozenset(end_offsets(consumer, topics.events))
    finally:
        consumer.close()
    going: set[Place] = set()
    bodies: set[bytes] = set()
    reasons: Counter[str] = Counter()
    stay: Counter[str] = Counter()
    for count, letter in enumerate(all_letters(bootstrap, topics.dead_letters), 1):
        if count % _TELL_EVERY == 0:
            tell("reading", count, 0)
        if not selection.means(letter, event_id):
            continue
        body = _digest(letter)
        why = _impossible(letter, topics.events, partitions) or (_REPEATED if body in bodies else None)
        if why is not None:
            stay[why] += 1
            continue
        going.add(letter.place)
        bodies.add(body)
        reasons[letter.reason or "unknown"] += 1
    return Choice(frozenset(going), reasons, stay)


def send(bootstrap: str, pipeline: Pipeline, choice: Choice, tell: Callable[[str, int, int], None]) -> Sent:
    """Send what was chosen, and return when Kafka has answered for every record. Raises BrokerError."""
    arrivals = _newest_arrivals(bootstrap, pipeline) if pipeline.clock == "stream" else None
    producer = plain_producer(bootstrap, client_id=f"sluicegate.{pipeline.name}.redrive")
    answers = _Answers()
    total = len(choice.going)
    for letter in all_letters(bootstrap, pipeline.topics.dead_letters):
        if letter.place not in choice.going:
            continue
        _produce(producer, pipeline.whole.topics.events, letter, _headers(letter, arrivals), answers)
        tell("sending", answers.given, total)
    left = producer.flush(_FLUSH_S)
    tell("sending", answers.given, total)
    if left:
        raise BrokerError(
            f"Kafka did not answer for {left} of {total} records; send them again: "
            "what it has taken is a duplicate then"
        )
    return Sent(answers.taken, answers.refused, answers.why)


@dataclass
class _Answers:
    """What Kafka said to each record."""

    taken: int = 0
    refused: int = 0
    why: str | None = field(default=None)

    @property
    def given(self) -> int:
        return self.taken + self.refused

    def note(self, error: KafkaError | None, message: Message) -> None:
        del message
        if error is None:
            self.taken += 1
        else:
            self.refuse(error.str())

    def refuse(self, why: str) -> None:
        self.refused += 1
        self.why = self.why or why


def _impossible(letter: DeadLetter, events: str, partitions: frozenset[int]) -> str | None:
    """Why the letter cannot go, if so."""
    if letter.cut_from is not None:
        return "its bytes were cut: send the whole record again from where it came"
    if letter.headers_cut_from is not None:
        return "its headers were cut: send the whole record again from where it came"
    if letter.topic is None or letter.partition is None or letter.offset is None:
        return "its headers do not say where it stood: not a letter of a scorer"
    if letter.topic != events:
        return f"it stood on {letter.topic!r}, not on {events!r}"
    if letter.partition not in partitions:
        return f"it stood on partition {letter.partition}, which {events!r} does not have"
    return None


def _digest(letter: DeadLetter) -> bytes:
    """Equal for letters that a scorer could not tell apart."""
    found = hashlib.blake2b(digest_size=16)
    for part in (letter.key, letter.value):
        found.update(b"-" if part is None else b"%d:" % len(part) + part)
    found.update(b"%d" % (letter.partition or 0))
    return found.digest()


def _headers(letter: DeadLetter, arrivals: dict[int, int] | None) -> list[tuple[str, str | bytes | None]]:
    headers: list[tuple[str, str | bytes | None]] = list(letter.headers)
    if arrivals is not None:
        # It arrives anew, behind what stands in front of it: by its old arrival it could be older than what
        # the duplicates window remembers; without one, the stream's clock would jump to the wall's.
        own = letter.arrived_ms or letter.time_ms or 0
        arrived = max(own, arrivals.get(letter.partition or 0, 0))
        headers.append((ARRIVED_AT, str(arrived).encode()))
    return [*headers, (REDRIVEN_FROM, str(letter.place).encode())]


def _newest_arrivals(bootstrap: str, pipeline: Pipeline) -> dict[int, int]:
    """Partition of events -> the newest arrival on it, in milliseconds."""
    topic = pipeline.whole.topics.events
    consumer = reader(bootstrap)
    try:
        starts, ends = start_offsets(consumer, topic), end_offsets(consumer, topic)
    finally:
        consumer.close()
    ranges = {p: (max(starts[p], end - _LOOK_BACK), end) for p, end in ends.items()}
    clock = clock_named(pipeline.clock)
    newest: dict[int, int] = {}
    for message in read_range(bootstrap, topic, ranges):
        arrival = clock.arrival(headers_of(message), message.timestamp()[1]) // 1_000
        partition = message.partition() or 0
        newest[partition] = max(arrival, newest.get(partition, 0))
    return newest


def _produce(
    producer: Producer,
    topic: str,
    letter: DeadLetter,
    headers: list[tuple[str, str | bytes | None]],
    answers: _Answers,
) -> None:
    while True:
        try:
            producer.produce(
                topic,
                value=letter.value,
                key=letter.key,
                partition=letter.partition or 0,
                headers=headers,
                on_delivery=answers.note,
            )
        except BufferError:
            producer.poll(0.1)
        except KafkaException as error:  # too large for this client, for one
            answers.refuse(str(error.args[0]))
            return
        else:
            producer.poll(0)
            return
