"""An id is remembered for exactly the declared time, and only once it is committed."""

from __future__ import annotations

from feature_store.declaration.decision import Duplicates
from feature_store.duplicates import DuplicateFilter, Seen, digest

HOUR = 3_600_000_000
BODY, OTHER = digest(b"body"), digest(b"other")


def remembering(window: str = "1h", max_ids: int = 100) -> DuplicateFilter:
    return DuplicateFilter(Duplicates.model_validate({"window": window, "max_ids": max_ids}))


def test_the_same_id_and_body_is_a_duplicate_another_body_is_reuse() -> None:
    seen = remembering()
    assert seen.check("a", BODY, 0) is Seen.NEW
    assert seen.check("a", BODY, 1) is Seen.DUPLICATE
    seen.commit()
    assert seen.check("a", BODY, 2) is Seen.DUPLICATE
    assert seen.check("a", OTHER, 2) is Seen.REUSED
    assert seen.check("b", BODY, 2) is Seen.NEW


def test_a_rolled_back_id_was_never_seen() -> None:
    seen = remembering()
    assert seen.check("a", BODY, 0) is Seen.NEW
    seen.rollback()
    assert seen.check("a", BODY, 0) is Seen.NEW


def test_the_window_ends_exactly_where_it_says() -> None:
    seen = remembering()
    seen.remember("a", BODY, 0)
    assert seen.check("a", BODY, HOUR) is Seen.DUPLICATE
    assert seen.check("a", BODY, HOUR + 1) is Seen.NEW


def test_what_is_past_the_window_is_forgotten() -> None:
    seen = remembering()
    for second in range(10):
        seen.check(f"id{second}", BODY, second)
    seen.commit()
    seen.check("late", BODY, HOUR + 5)
    seen.commit()
    assert len(seen) == 6
    assert seen.shortened == 0


def test_an_id_that_comes_again_after_its_window_is_remembered_anew() -> None:
    seen = remembering()
    assert seen.check("a", BODY, 0) is Seen.NEW
    seen.commit()
    assert seen.check("a", OTHER, HOUR + 1) is Seen.NEW
    seen.check("b", BODY, HOUR + 2)
    seen.commit()
    assert seen.check("a", OTHER, 2 * HOUR) is Seen.DUPLICATE
    seen.check("c", BODY, 3 * HOUR)
    seen.commit()
    assert len(seen) == 1
    assert seen.shortened == 0


def test_too_many_ids_are_counted_not_silent() -> None:
    seen = remembering(max_ids=3)
    for second in range(5):
        seen.check(f"id{second}", BODY, second)
    seen.commit()
    assert len(seen) == 3
    assert seen.shortened == 2
    assert seen.check("id4", BODY, 6) is Seen.DUPLICATE
