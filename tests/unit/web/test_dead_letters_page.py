from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.reading import newest
from console.web.letter_lines import body_of
from console.web.masking import HIDDEN
from streams.kafka import headers_of, plain_producer, read_to_end
from streams.messages import dead_letter as names

if TYPE_CHECKING:
    from tests.support.web import Person
    from training.keeper.desk import Desk

EVIL = b'{"event_id": "<script>alert(1)</script>", "holder": "Mallory"}'


def write_letter(desk: Desk, value: bytes, reason: str = "invalid_field", offset: int = 0) -> None:
    """Let partition 0 of the dead-letters topic hold a letter, as a scorer writes it."""
    topics = desk.parts.pipeline.topics
    producer = plain_producer(desk.parts.settings.bootstrap)
    ours = {
        names.REASON: reason,
        names.DETAIL: "of Mallory's <card>",
        names.SOURCE_TOPIC: topics.events,
        names.SOURCE_PARTITION: "1",
        names.SOURCE_OFFSET: str(offset),
        names.SOURCE_TIME: "1767225600000",
    }
    producer.produce(
        topics.dead_letters, value=value, key=b"c1", partition=0,
        headers=[("trace", b"from Mallory"), *((name, text.encode()) for name, text in ours.items())],
    )  # fmt: skip
    producer.flush(30)


def page_with(person: Person, path: str, words: str) -> str:
    """The page, when it shows what was just written."""
    page = ""
    while words not in page:
        answer = person.get(path)
        assert answer.status_code == 200, answer.text
        page = answer.text
    return page


def sent_again(desk: Desk) -> list[bytes]:
    """What stands on the events topic."""
    parts = desk.parts
    return [
        message.value() or b""
        for message in read_to_end(parts.settings.bootstrap, parts.pipeline.topics.events)
    ]


def test_letters_are_counted_by_reason_and_found(desk: Desk, analyst: Person) -> None:
    write_letter(desk, EVIL)
    write_letter(desk, b"not json", "not_json", 1)
    page = page_with(analyst, "/dead-letters", "not_json")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    of_reason = analyst.get("/dead-letters?reason=not_json").text
    assert "/dead-letters/0/1" in of_reason
    assert "/dead-letters/0/0" not in of_reason
    assert "/dead-letters/0/0" in analyst.get("/dead-letters?event_id=%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "No dead letter is like that" in analyst.get("/dead-letters?event_id=other").text


def test_what_was_sent_is_shown_to_those_who_may_see_personal_data(
    desk: Desk, viewer: Person, analyst: Person
) -> None:
    write_letter(desk, EVIL)
    for path in ("/dead-letters", "/dead-letters/0/0"):
        page = page_with(viewer, path, "invalid_field")
        assert "Mallory" not in page
        assert HIDDEN in page
    letter = analyst.get("/dead-letters/0/0").text
    assert all(
        words in letter for words in ("Mallory&#39;s &lt;card&gt;", "from Mallory", "&#34;holder&#34;")
    )
    assert "<script>alert" not in letter


@pytest.mark.parametrize("place", ["0/0", "0/99999999999", "7/0", "1/0"])
def test_a_letter_that_is_not_there_is_said_to_be_none(analyst: Person, place: str) -> None:
    answer = analyst.get(f"/dead-letters/{place}")
    assert answer.status_code == 404
    assert f"there is no dead letter {place}" in answer.text


def test_one_letter_or_all_of_a_reason_are_sent_again_by_operators_alone(
    desk: Desk, operator: Person, analyst: Person
) -> None:
    write_letter(desk, b"first", "not_json")
    write_letter(desk, b"second", "not_json", 1)
    write_letter(desk, b"third", "invalid_field", 2)
    assert "Send again" not in page_with(analyst, "/dead-letters", "not_json")
    assert analyst.post("/dead-letters/redrive", place="0/0").status_code == 403
    assert operator.post("/dead-letters/redrive", csrf="forged", place="0/0").status_code == 403
    assert sent_again(desk) == []

    answer = operator.post("/dead-letters/redrive", place="0/2")
    assert answer.headers["location"] == "/console/dead-letters/0/2"
    page_with(operator, "/dead-letters", "1 sent")
    assert sent_again(desk) == [b"third"]
    (only,) = read_to_end(desk.parts.settings.bootstrap, desk.parts.pipeline.topics.events)
    assert only.partition() == 1
    assert dict(headers_of(only) or [])["redriven_from"] == b"0/2"

    operator.post("/dead-letters/redrive", reason="not_json", dry="yes")
    page_with(operator, "/dead-letters", "2 would go")
    assert sent_again(desk) == [b"third"]
    operator.post("/dead-letters/redrive", reason="not_json")
    page_with(operator, "/dead-letters", "2 sent")
    assert sorted(sent_again(desk)) == [b"first", b"second", b"third"]
    noted = [each for each in desk.audit.newest() if each.what == "redrive"]
    assert [(each.who, each.subject, each.after["sent"]) for each in noted] == [
        ("operator", "all letters with reason not_json", 2),
        ("operator", "the letter 0/2", 1),
    ]


@pytest.mark.parametrize("fields", [{}, {"place": "here"}, {"all": "some"}])
def test_a_redrive_of_nothing_in_particular_is_refused(operator: Person, fields: dict[str, str]) -> None:
    assert operator.post("/dead-letters/redrive", **fields).status_code in {400, 409}


def test_bytes_are_shown_as_what_they_are() -> None:
    assert body_of(None).kind == "none"
    assert body_of(b'{"a":[1]}').text == '{\n  "a": [\n    1\n  ]\n}'
    assert body_of("h\u00e9".encode()).kind == "text"
    dumped = body_of(b"\xff\x00abc<")
    assert (dumped.kind, dumped.text.split()[-1]) == ("bytes", "..abc<")
    assert body_of(b"\x1b[2Jx").kind == "bytes"
    assert body_of(b"x" * 100_000).cut


def test_what_is_nested_deeply_does_not_grow_when_it_is_shown() -> None:
    nested = b"[" * 900 + b",".join([b"1"] * 14_000) + b"]" * 900
    body = body_of(nested)
    assert (body.kind, body.text) == ("text", nested.decode())


def test_what_is_held_of_the_newest_letters_is_bounded(desk: Desk) -> None:
    for offset, size in enumerate((400, 300, 200, 100)):
        write_letter(desk, b"x" * size, offset=offset)
    parts = desk.parts
    topic = parts.pipeline.topics.dead_letters
    found = newest(parts.settings.bootstrap, topic, 1_000, most_bytes=1_000)
    assert [len(each.value() or b"") for each in found] == [300, 200, 100]
    assert len(newest(parts.settings.bootstrap, topic, 2, most_bytes=1_000)) == 2
    assert len(newest(parts.settings.bootstrap, topic, 1_000)) == 4
