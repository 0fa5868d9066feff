"""What a dead letter says, which ones are meant, which may go again and under which headers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest

from console.dead_letter_line import fields, words
from console.dead_letters import EventIds, Place, Selection, letter_of, place_of
from console.redrive import Choice, Sent, _digest, _headers, _impossible
from console.redrive_words import asked, figures, result_words
from feature_store.errors import ConfigError
from streams.messages.dead_letter import DEAD_LETTER_HEADERS
from streams.scorer.messages import _dead_letter_headers
from streams.scorer.records import Refused, SourceRecord

if TYPE_CHECKING:
    from streams.kafka import Message

IDS = EventIds("event_id")
OURS = [
    ("reason", b"late_event"),
    ("detail", b"too late"),
    ("source_topic", b"events"),
    ("source_partition", b"3"),
    ("source_offset", b"99"),
    ("source_time", b"1767571200000"),
    ("arrived_at", b"1767571260000"),
]


class Record:
    """What the client gives for a record of the dead-letters topic."""

    def __init__(self, headers: Any = OURS, value: bytes | None = b'{"event_id":"e7"}') -> None:
        self._headers = headers
        self._value = value

    def headers(self) -> Any:
        return self._headers

    def key(self) -> bytes:
        return b"c1"

    def value(self) -> bytes | None:
        return self._value

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 17


def letter(more: Any = (), value: bytes | None = b'{"event_id":"e7"}', **changes: bytes) -> Any:
    ours = [(name, changes.get(name, said)) for name, said in OURS]
    return letter_of(cast("Message", Record([*more, *ours], value)))


def test_a_letter_is_read_back_with_the_producers_own_headers_apart() -> None:
    found = letter([("trace", b"\xff\x00"), ("reason", b"mine"), ("empty", None)])
    assert (found.place, found.reason, found.topic) == (Place(3, 17), "late_event", "events")
    assert (found.partition, found.offset, found.time_ms) == (3, 99, 1_767_571_200_000)
    assert found.headers == [("trace", b"\xff\x00"), ("empty", None)]


def test_every_header_that_a_scorer_writes_is_known_as_ours() -> None:
    refused = Refused(SourceRecord(0, 1, b"k", b"v", 2, 3), "not_json", "no")
    assert {name for name, _ in _dead_letter_headers(refused, "events")} <= DEAD_LETTER_HEADERS


@pytest.mark.parametrize("headers", [None, [], [("source_offset", b"-1"), ("source_time", b"9" * 30)]])
def test_what_is_no_letter_is_shown_and_does_not_go(headers: Any) -> None:
    found = letter_of(cast("Message", Record(headers)))
    assert words(found, None).startswith("3/17 - None[None]@None None: None")
    assert "not a letter of a scorer" in str(_impossible(found, "events", frozenset({3})))


def test_a_line_quotes_no_control_characters() -> None:
    line = words(letter(detail=b"\x1b[31mred\n"), "e\x07")
    assert line == ("3/17 2026-01-05T00:00:00.000000Z events[3]@99 e  late_event:  [31mred  (17 bytes)")
    assert fields(letter([("cut_from", b"20000000")]), "e7")["cut_from"] == 20_000_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"event_id":"e7"}', "e7"),
        (b'{"event_id":7}', "7"),
        (b'{"event_id":null}', None),
        (b'{"event_id":{"a":1}}', None),
        (b"[" * 100_000, None),
        (b'{"event_id":"\xff"}', None),
        (b'{"event_id":' + b"9" * 10_000 + b"}", None),
        (b"", None),
        (None, None),
    ],
)
def test_the_id_is_found_where_the_bytes_hold_one(value: bytes | None, expected: str | None) -> None:
    assert IDS(letter(value=value)) == expected


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), True),
        (Selection(reasons=frozenset({"late_event", "empty"})), True),
        (Selection(reasons=frozenset({"empty"})), False),
        (Selection(partitions=frozenset({3})), True),
        (Selection(partitions=frozenset({2})), False),
        (Selection(places=frozenset({Place(3, 17)})), True),
        (Selection(places=frozenset({Place(3, 18)})), False),
        (Selection(since_us=1_767_571_200_000_000), True),
        (Selection(since_us=1_767_571_200_000_001), False),
        (Selection(until_us=1_767_571_200_000_000), False),
        (Selection(until_us=1_767_571_200_000_001), True),
        (Selection(event_id="e7"), True),
        (Selection(event_id="e8"), False),
    ],
)
def test_a_selection_narrows(selection: Selection, expected: bool) -> None:
    assert selection.means(letter(), IDS) is expected
    assert selection.everything is (selection == Selection())


def test_places_are_told_and_read_alike() -> None:
    assert place_of(str(Place(3, 17))) == Place(3, 17)
    for wrong in ("3", "3/", "/17", "3@17", "a/b", "-1/2", "3/17/1"):
        with pytest.raises(ConfigError, match="PARTITION/OFFSET"):
            place_of(wrong)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (letter(), None),
        (letter([("cut_from", b"20000000")]), "bytes were cut"),
        (letter([("headers_cut_from", b"70000")]), "headers were cut"),
        (letter(source_topic=b"other"), "'other', not on 'events'"),
        (letter(source_partition=b"4"), "partition 4"),
    ],
)
def test_what_cannot_go_is_told_why(found: Any, why: str | None) -> None:
    told = _impossible(found, "events", frozenset(range(4)))
    assert told is None if why is None else why in str(told)


def test_on_the_wall_clock_headers_are_the_producers_own_and_where_it_comes_from() -> None:
    assert _headers(letter([("trace", b"t")]), None) == [("trace", b"t"), ("redriven_from", b"3/17")]


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [({3: 1_767_571_900_000}, b"1767571900000"), ({3: 5}, b"1767571260000"), ({}, b"1767571260000")],
)
def test_on_the_stream_clock_it_arrives_behind_what_stands_before_it(
    arrivals: dict[int, int], expected: bytes
) -> None:
    assert _headers(letter(), arrivals) == [("arrived_at", expected), ("redriven_from", b"3/17")]


def test_letters_that_a_scorer_could_not_tell_apart_have_one_digest() -> None:
    assert _digest(letter()) == _digest(letter([("trace", b"t")], detail=b"another time"))
    others = [letter(value=None), letter(value=b""), letter(source_partition=b"2")]
    assert len({_digest(each) for each in [letter(), *others]}) == 4


def test_what_would_be_sent_and_what_was_is_told() -> None:
    choice = Choice(frozenset({Place(3, 17)}), Counter({"late_event": 1}), Counter({"its bytes were cut": 2}))
    assert asked(choice, "events") == "1 to events\n  1 late_event\n2 stay\n  2: its bytes were cut"
    assert figures(choice, None)["sent"] is None
    assert figures(choice, Sent(1, 0, None))["sent"] == 1
    assert result_words(Sent(1, 1, "too large")) == "sent 1; Kafka refused 1: too large"
