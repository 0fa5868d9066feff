"""Records of the other topics: outcomes and their deltas, decisions, alerts, dead letters, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from console.dead_letters import EventIds, Selection, letter_of
from console.redrive import _digest, _headers, _impossible
from console.web.letter_lines import letter_line
from feature_store.clock import StreamClock, WallClock
from feature_store.errors import ContractError
from feature_store.units import FIRST_INSTANT, LAST_INSTANT, to_text
from streams.kafka import headers_of
from streams.kafka.tracing import trace_of
from streams.messages import Alert, Amended, Decision, Outcome, OutcomeDelta, Source
from streams.messages import dead_letter as names
from streams.messages.outcome import Label
from streams.scorer.deltas import DeltaBook, DeltaDecoder
from streams.scorer.records import SourceDelta
from tests.fuzz.small import message, small_pipeline
from tests.fuzz.target import MARK, Ready, Target, pieces
from training.keeper.rows import decision_tables, outcome_tables

if TYPE_CHECKING:
    from pathlib import Path

_AT = "2026-01-05T00:00:00Z"
_TIMES = [
    b"0001-01-01T00:00:00+14:00",
    b"9999-12-31T23:59:59.999999-14:00",
    b"2026-W01-1",
    b"20260105T00Z",
    b"2026-01-05",
]


def _outcomes(_: Path) -> Ready:
    """From outside, and they may be anything: each is a row, or refused with the reason."""

    def check(data: bytes) -> None:
        outcomes, refused = outcome_tables([message(data), message(b"")], StreamClock())
        assert outcomes.num_rows + refused.num_rows == 2
        outcomes.validate(full=True)
        refused.validate(full=True)

    seeds = [
        msgspec.json.encode(Outcome("e1", label, at, "analyst"))
        for label in Label
        for at in (_AT, "2026-01-05T01:00:00.5+01:00")
    ]
    return Ready(check, seeds, [*_TIMES, b'"fraud"', b'"legitimate"', b'"label":', b"\\ud800", b"1" * 5_000])


def _deltas(folder: Path) -> Ready:
    pipeline = small_pipeline(folder)

    def check(data: bytes) -> None:
        decoder, book = DeltaDecoder(pipeline), DeltaBook(pipeline)
        book.add_partition(0)
        found = []
        for offset, raw in enumerate(pieces(data, 3)):
            try:
                values = decoder.decode(raw)
            except ContractError:
                values = None
            found.append(SourceDelta(0, offset, values))
        book.take(found, 1).validate(full=True)

    delta = OutcomeDelta(1, "e1", _AT, 1, let_through=True, entity={"card": "c1"})
    raws = [
        msgspec.json.encode(msgspec.structs.replace(delta, route_seq=n, fraud=f))
        for n, f in ((1, 1), (2, -1))
    ]
    return Ready(check, [raws[0], MARK.join(raws)], [*_TIMES, MARK, b"9223372036854775808", b'"card":null'])


def _decisions(_: Path) -> Ready:
    def check(data: bytes) -> None:
        try:
            for table in decision_tables([message(data)]):
                table.validate(full=True)
        except ContractError:
            return

    source = Source("events", 0, 17)
    decision = Decision(
        "e1", _AT, _AT, {"card": "c1"}, "review", "review", 1.0, 0.5, "m1", [], ["large"], None, {}, 3, source
    )
    amended = msgspec.structs.replace(decision, amends=Amended("decisions", 0, 3, _AT))
    seeds = [msgspec.json.encode(each) for each in (decision, amended)]
    return Ready(check, seeds, [b"9223372036854775808", b"[" * 500, b'"a":{' * 200, b"\\ud800"])


def _alerts(_: Path) -> Ready:
    def check(data: bytes) -> None:
        try:
            assert isinstance(Alert.read(data).subjects, list)
        except ContractError:
            return

    alert = Alert("small", "drift", "words", _AT, {"subjects": "a,b", "psi": 0.4, "n": 3})
    return Ready(check, [msgspec.json.encode(alert)], [b"[" * 500, b'"subjects":3', b"\\ud800"])


def _headers_and_letters(_: Path) -> Ready:
    """A record with any headers: when it arrived, what it traces, and what it says as a dead letter."""
    event_id, meant = EventIds("event_id"), Selection(since_us=0, event_id="e1", reasons=frozenset({"empty"}))
    clocks = StreamClock(), WallClock()

    def check(data: bytes) -> None:
        key, value, *rest = pieces(data, 2 + 2 * 8)
        pairs = [
            (name.decode(errors="replace"), content)
            for name, content in zip(rest[::2], rest[1::2], strict=True)
            if name
        ]
        record = message(value, key, pairs)
        headers = headers_of(record)
        for clock in clocks:
            arrival = clock.arrival(headers, record.timestamp()[1])
            assert FIRST_INSTANT <= arrival <= LAST_INSTANT
            to_text(arrival)
        trace_of(headers)
        letter = letter_of(record)
        meant.means(letter, event_id)
        _impossible(letter, "events", frozenset({0, 1}))
        _digest(letter)
        letter_line(letter, event_id, whole=True)
        for arrivals in (None, {0: 1_767_571_200_000}):
            assert all(isinstance(name, str) for name, _ in _headers(letter, arrivals))

    ours = {
        names.REASON: "empty", names.DETAIL: "words", names.SOURCE_TOPIC: "events",
        names.SOURCE_PARTITION: "1", names.SOURCE_OFFSET: "17",
        names.SOURCE_TIME: "1767571200000", names.CUT_FROM: "70000",
        "arrived_at": "1767571200000",
    }  # fmt: skip
    traced = {"traceparent": "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01", "tracestate": "a=b"}
    seeds = [
        MARK.join([b"c1", b'{"event_id":"e1"}', *(part.encode() for pair in each.items() for part in pair)])
        for each in (ours, ours | {names.HEADERS_CUT_FROM: "9"}, traced, {names.REDRIVEN_FROM: "3/17"})
    ]
    words = ["arrived_at", *names.DEAD_LETTER_HEADERS, "9" * 14, "9" * 18, "٣", "²", "-1", "traceparent"]
    return Ready(check, seeds, [MARK, *(word.encode() for word in words)])


TARGETS = [
    Target("outcomes", "outcomes, as the keeper sinks them", _outcomes),
    Target("entity-outcomes", "outcome deltas, as scorers apply them", _deltas),
    Target("decisions", "decisions, as the keeper sinks them", _decisions),
    Target("alerts", "alerts", _alerts),
    Target("headers", "headers of records, and dead letters on their way back", _headers_and_letters),
]
