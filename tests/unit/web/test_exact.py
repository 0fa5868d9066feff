"""Exact reasons for pages: one at a time, within a time limit, each computed once."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from console.explain.reproduction import Reproduced
from console.web.exact import ExactReasons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.keeper.evidence import Evidence
    from training.keeper.parts import Parts


def event(offset: int) -> Evidence:
    scored = SimpleNamespace(source_partition=0, source_offset=offset, model="m1")
    return cast("Evidence", SimpleNamespace(event_id=f"e{offset}", scored=scored))


class Slow:
    """Reproduces when it is let; notes what it was asked."""

    def __init__(self) -> None:
        self.let, self.asked = threading.Event(), list[str]()

    def __call__(self, _pipeline: object, found: Evidence, _version: object) -> Reproduced:
        self.asked.append(found.event_id)
        assert self.let.wait(60)
        if found.event_id == "e666":
            raise ZeroDivisionError("a library's own")
        return Reproduced(equal=True, margin=float(found.scored.source_offset))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    made = Slow()
    monkeypatch.setattr("console.explain.reproduce.reproduced", made)
    yield made
    made.let.set()


@pytest.fixture
def reasons() -> ExactReasons:
    return ExactReasons(cast("Parts", SimpleNamespace(pipeline=None)))


def test_a_page_does_not_wait_and_the_next_look_finds_them(slow: Slow, reasons: ExactReasons) -> None:
    assert reasons.of(event(7), wait_s=0.0) is None
    assert reasons.of(event(7), wait_s=0.0) is None
    slow.let.set()
    found = reasons.of(event(7), wait_s=60)
    assert found is not None
    assert found.margin == 7.0
    assert slow.asked == ["e7"]


def test_so_many_wait_and_no_more(slow: Slow, reasons: ExactReasons) -> None:
    assert [reasons.of(event(offset), wait_s=0.0) for offset in range(30)] == [None] * 30
    slow.let.set()
    assert reasons.of(event(19), wait_s=60) is not None
    assert "e25" not in slow.asked
    assert reasons.of(event(25), wait_s=60) is not None


def test_one_that_fails_is_told_and_the_others_go_on(slow: Slow, reasons: ExactReasons) -> None:
    slow.let.set()
    failed: Any = reasons.of(event(666), wait_s=60)
    assert (failed.equal, failed.why) == (None, "ZeroDivisionError: a library's own")
    assert reasons.of(event(1), wait_s=60) is not None


def test_what_failed_is_tried_again_later_and_what_was_found_is_not(slow: Slow) -> None:
    now = [0.0]
    reasons = ExactReasons(cast("Parts", SimpleNamespace(pipeline=None)), lambda: now[0])
    slow.let.set()
    for now[0] in (0.0, 50.0, 100.0):
        assert reasons.of(event(666), wait_s=60) is not None
        assert reasons.of(event(1), wait_s=60) is not None
    assert slow.asked == ["e666", "e1", "e666"]


def test_model_libraries_that_do_not_load_are_told(
    reasons: ExactReasons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "console.explain.reproduce", None)
    failed: Any = reasons.of(event(1), wait_s=60)
    assert failed.equal is None
    assert "console.explain.reproduce" in failed.why
