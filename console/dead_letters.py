"""Dead letters as they stand on their topic, and which of them a command means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from console.reading import newest
from feature_store.clock import ARRIVED_AT
from feature_store.errors import ConfigError
from feature_store.units import to_text
from streams.kafka import headers_of, read_to_end
from streams.messages import dead_letter as names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.kafka import Message

_LONGEST_NUMBER = 18
_LONGEST_TIME = 14
"""Digits: what is longer is no offset, or no instant before the year 5138."""

Header = tuple[str, bytes | None]


class Place(NamedTuple):
    """Where a letter stands on the dead-letters topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


@dataclass(frozen=True)
class DeadLetter:
    """One letter. What its headers do not say, or say wrongly, is None: anybody may have written it."""

    place: Place
    reason: str | None
    detail: str | None
    topic: str | None
    partition: int | None
    offset: int | None
    time_ms: int | None
    arrived_ms: int | None
    cut_from: int | None
    headers_cut_from: int | None
    redriven_from: str | None
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    """The producer's own."""


def letter_of(message: Message) -> DeadLetter:
    """The letter in a record of the dead-letters topic."""
    pairs = headers_of(message) or []
    # Ours are written last: where a producer used one of the names, ours counts.
    ours = {name: (value or b"").decode(errors="replace") for name, value in pairs}
    return DeadLetter(
        place=Place(message.partition() or 0, message.offset() or 0),
        reason=ours.get(names.REASON),
        detail=ours.get(names.DETAIL),
        topic=ours.get(names.SOURCE_TOPIC),
        partition=_number(ours.get(names.SOURCE_PARTITION)),
        offset=_number(ours.get(names.SOURCE_OFFSET)),
        time_ms=_number(ours.get(names.SOURCE_TIME), _LONGEST_TIME),
        arrived_ms=_number(ours.get(ARRIVED_AT), _LONGEST_TIME),
        cut_from=_number(ours.get(names.CUT_FROM)),
        headers_cut_from=_number(ours.get(names.HEADERS_CUT_FROM)),
        redriven_from=ours.get(names.REDRIVEN_FROM),
        key=message.key(),
        value=message.value(),
        headers=[(name, value) for name, value in pairs if name not in names.DEAD_LETTER_HEADERS],
    )


@dataclass(frozen=True)
class Selection:
    """Which letters are meant; what is empty or None does not narrow it."""

    reasons: frozenset[str] = frozenset()
    partitions: frozenset[int] = frozenset()
    places: frozenset[Place] = frozenset()
    since_us: int | None = None
    until_us: int | None = None
    event_id: str | None = None

    @property
    def everything(self) -> bool:
        """Whether every letter is meant."""
        return self == Selection()

    @property
    def in_words(self) -> str:
        """What narrows it, for the audit trail."""
        told = [
            *sorted(self.reasons),
            *(f"partition {each}" for each in sorted(self.partitions)),
            *map(str, sorted(self.places)),
            *([] if self.since_us is None else [f"since {to_text(self.since_us)}"]),
            *([] if self.until_us is None else [f"until {to_text(self.until_us)}"]),
            *([] if self.event_id is None else [self.event_id]),
        ]
        return ", ".join(told) or "all"

    def means(self, letter: DeadLetter, event_id: Callable[[DeadLetter], str | None]) -> bool:
        """Whether ``letter`` is one of them."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.partitions or letter.partition in self.partitions)
            and (not self.places or letter.place in self.places)
            and (self.since_us is None or (letter.time_ms or 0) * 1_000 >= self.since_us)
            and (self.until_us is None or (letter.time_ms or 0) * 1_000 < self.until_us)
            and (self.event_id is None or event_id(letter) == self.event_id)
        )


class EventIds:
    """Finds the event id in refused bytes, where they hold one."""

    def __init__(self, field: str) -> None:
        struct = msgspec.defstruct(
            "Refused", [("event_id", str | int | None, None)], rename={"event_id": field}
        )
        self._decode = msgspec.json.Decoder(struct).decode

    def __call__(self, letter: DeadLetter) -> str | None:
        """The id as text; None where the bytes are no JSON object that has one."""
        try:
            found: Any = self._decode(letter.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        return None if found.event_id is None else str(found.event_id)


def newest_letters(
    bootstrap: str, topic: str, selection: Selection, event_id: EventIds, count: int
) -> list[DeadLetter]:
    """The newest ``count`` letters that are meant, oldest first."""
    meant = None if selection.everything else lambda message: selection.means(letter_of(message), event_id)
    return [letter_of(message) for message in newest(bootstrap, topic, count, meant)]


def all_letters(bootstrap: str, topic: str) -> Iterator[DeadLetter]:
    """Every letter that is there now, each partition in order."""
    return map(letter_of, read_to_end(bootstrap, topic))


def place_of(text: str) -> Place:
    """``3/17`` as a place. Raises ConfigError."""
    partition, slash, offset = text.partition("/")
    first, second = _number(partition), _number(offset)
    if not slash or first is None or second is None:
        raise ConfigError(f"--at {text}: expected PARTITION/OFFSET as `dlq list` shows it, for example 3/17")
    return Place(first, second)


def _number(text: str | None, longest: int = _LONGEST_NUMBER) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > longest:
        return None
    return int(text)
