from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest

from console.web.kept import Found, Kept
from feature_store.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 30.0
"""Longer than any look of these tests takes; none waits so long."""


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What an answer waits for; opened at the end, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


def test_it_is_asked_once_for_as_long_as_the_answer_is_kept() -> None:
    numbers = count(1)
    kept: Kept[int] = Kept("a thing", lambda: next(numbers), for_s=3_600, patience_s=PATIENCE_S)
    assert [kept().value for _ in range(5)] == [1] * 5
    kept.forget()
    assert kept() == Found(2)


def test_nobody_waits_for_an_answer_that_does_not_come(gate: threading.Event) -> None:
    kept: Kept[bool] = Kept("a slow thing", gate.wait, for_s=3_600, patience_s=0.01)
    assert kept() == Found(None, "a slow thing: still asking")
    gate.set()
    while kept().value is None:
        pass
    assert kept() == Found(value=True)


def test_two_who_want_to_know_ask_once(gate: threading.Event) -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        gate.wait()
        return len(asked)

    kept: Kept[int] = Kept("a thing", ask, for_s=3_600, patience_s=PATIENCE_S)
    found: list[Found[int]] = []
    people = [threading.Thread(target=lambda: found.append(kept())) for _ in range(4)]
    for person in people:
        person.start()
    gate.set()
    for person in people:
        person.join()
    assert found == [Found(1)] * 4


def test_a_failure_keeps_the_last_answer_and_says_why() -> None:
    answers: Iterator[int | BrokerError] = iter([7, BrokerError("nobody there")])

    def ask() -> int:
        answer = next(answers)
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    kept: Kept[int] = Kept("a thing", ask, for_s=3_600, patience_s=PATIENCE_S)
    assert kept() == Found(7)
    kept.forget()
    assert kept() == Found(7, "a thing: nobody there")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_nobody_foresaw_does_not_end_the_asking() -> None:
    answers = iter(["not a number", "8"])
    kept: Kept[int] = Kept("a thing", lambda: int(next(answers)), for_s=3_600, patience_s=PATIENCE_S)
    assert kept() == Found(None, "a thing: looking it up failed; the keeper's log says why")
    kept.forget()
    assert kept() == Found(8)


def test_two_things_are_asked_at_once(gate: threading.Event) -> None:
    first: Kept[bool] = Kept("a thing", gate.wait, for_s=3_600, patience_s=PATIENCE_S)
    second: Kept[None] = Kept("another", gate.set, for_s=3_600, patience_s=PATIENCE_S)
    for kept in (first, second):
        kept.begin()
    assert (first(), second()) == (Found(value=True), Found())
