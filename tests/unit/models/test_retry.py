from __future__ import annotations

from typing import TYPE_CHECKING

from streams.models.retry import Retry

if TYPE_CHECKING:
    import pytest


class Clock:
    """Real time, as told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pause_after_a_failure(again: Retry, clock: Clock) -> float:
    again.failed("m1")
    started = clock.now
    while not again.due:
        clock.now += 1.0
    return clock.now - started


def test_it_is_due_ever_more_rarely_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("streams.models.retry.time.monotonic", clock)
    again = Retry()
    before = again.due
    assert [pause_after_a_failure(again, clock) for _ in range(8)] == [2, 4, 8, 16, 32, 60, 60, 60]
    again.over()
    assert (before, again.due) == (False, False)


def test_each_thing_is_told_once_though_several_fail_in_turn() -> None:
    again = Retry()
    told = [again.failed(what) for what in ("canary", "shadow", "canary", "shadow", "another")]
    assert told == [True, True, False, False, True]
    for number in range(1_000):
        again.failed(f"{number}")
    assert len(again._told) <= 100
