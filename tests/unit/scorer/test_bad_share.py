"""The alert for a bad share: once, over a window, not for a handful."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feature_store.declaration.serving import DeadLetterAlertSpec
from streams.scorer.bad_share import BadShare

MINUTE = 60_000_000
SPEC = DeadLetterAlertSpec.model_validate({"share": 0.1, "window": "1m", "least": 100})


def test_it_is_said_once_with_the_figures() -> None:
    bad = BadShare(SPEC)
    assert bad.step(900, 50, 0) is None
    found = bad.step(100, 60, 1_000_000)
    assert found is not None
    assert found.details == {"events": 1_000, "refused": 110, "share": 0.11, "window_s": 60.0}
    assert found.text.startswith("110 of 1000 records within 1m became dead letters")
    assert bad.step(1_000, 1_000, 2_000_000) is None


def test_it_is_said_again_after_it_was_over() -> None:
    bad = BadShare(SPEC)
    assert bad.step(100, 100, 0) is not None
    assert bad.step(1_000, 0, MINUTE // 2) is None  # 9 %: still too much to call it over
    assert bad.step(100, 100, MINUTE // 2) is None
    assert bad.step(100, 0, 3 * MINUTE) is None
    assert bad.step(100, 30, 3 * MINUTE) is not None


def test_what_is_past_the_window_does_not_count() -> None:
    bad = BadShare(SPEC)
    assert bad.step(99, 99, 0) is None
    assert bad.step(99, 0, MINUTE) is None
    assert bad.step(1, 0, MINUTE) is None


def test_two_of_three_are_no_sign() -> None:
    assert BadShare(SPEC).step(3, 2, 0) is None


def test_a_clock_that_goes_back_loses_nothing() -> None:
    bad = BadShare(SPEC)
    assert bad.step(99, 99, MINUTE) is None
    assert bad.step(1, 1, 0) is not None


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3 * MINUTE)), max_size=40))
def test_it_counts_what_the_slots_of_the_window_hold(steps: list[tuple[int, int]]) -> None:
    bad = BadShare(SPEC)
    seen: list[tuple[int, int]] = []
    newest = 0
    for events, forward in steps:
        newest += forward
        bad.step(events, 0, newest)
        slot = newest // (MINUTE // 60)
        seen.append((slot, events))
        assert bad._events == sum(count for at, count in seen if at > slot - 60)
