"""The ids of a partition, copied out and taken over by another filter."""

from __future__ import annotations

import random

import numpy as np
import pytest

from feature_store.declaration.decision import Duplicates
from feature_store.duplicates import ANY_BODY, DuplicateFilter, Seen, digest
from feature_store.errors import ContractError

HOUR = 3_600_000_000
BODY, OTHER = digest(b"body"), digest(b"other")


def remembering(max_ids: int = 1_000) -> DuplicateFilter:
    return DuplicateFilter(Duplicates.model_validate({"window": "1h", "max_ids": max_ids}))


@pytest.mark.parametrize("max_ids", [40, 1_000])
@pytest.mark.parametrize("seed", range(5))
def test_a_filter_that_took_over_answers_as_the_one_that_went_on(seed: int, max_ids: int) -> None:
    chance = random.Random(seed)
    going_on, fresh = remembering(max_ids), remembering(max_ids)
    at = 0
    for _ in range(50):
        taken_over = remembering(max_ids)
        taken_over.load(going_on.export())
        for _ in range(chance.randrange(1, 12)):
            at += chance.choice([0, 0, 1, HOUR // 20, HOUR // 3])
            who = f"id{chance.randrange(30)}"
            body = chance.choice([BODY, OTHER])
            expected = going_on.check(who, body, at)
            assert taken_over.check(who, body, at) is expected
            assert fresh.check(who, body, at) is expected
        if chance.random() < 0.2:
            going_on.rollback()
            fresh.rollback()
            continue
        going_on.commit()
        fresh.commit()
        taken_over.commit()
        np.testing.assert_array_equal(taken_over.export(), going_on.export())
        assert len(taken_over) == len(going_on)


def test_pending_ids_are_not_copied_out() -> None:
    seen = remembering()
    seen.check("a", BODY, 0)
    assert seen.export().shape == (0, 40)
    seen.commit()
    assert seen.export().shape == (1, 40)


def test_a_copy_does_not_change_while_the_filter_goes_on() -> None:
    seen = remembering()
    seen.remember("a", BODY, 0)
    copy = seen.export()
    before = copy.tobytes()
    seen.check("b", BODY, 2 * HOUR)
    seen.commit()
    assert copy.tobytes() == before


def test_history_counts_as_duplicate_whatever_its_body() -> None:
    seen = remembering()
    seen.remember("a", ANY_BODY, 0)
    taken_over = remembering()
    taken_over.load(seen.export())
    for known in (seen, taken_over):
        assert known.check("a", OTHER, 1) is Seen.DUPLICATE


def test_loading_forgets_what_was_there() -> None:
    seen = remembering()
    seen.check("pending", BODY, 0)
    seen.remember("a", BODY, 0)
    seen.load(remembering().export())
    assert len(seen) == 0
    assert seen.check("a", BODY, 1) is Seen.NEW
    assert seen.check("pending", BODY, 1) is Seen.NEW


def test_what_is_no_list_of_ids_is_refused() -> None:
    with pytest.raises(ContractError, match="rows of 40 bytes"):
        remembering().load(np.zeros((3, 39), np.uint8))
