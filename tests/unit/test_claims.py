"""Whose messages of the feature log count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.claims import NO_CLAIM, Claim, Claims
from tests.support.logged import nothing_logged

if TYPE_CHECKING:
    from feature_store.log import LogMeta


def meta(claim: int = 0, claimed_at: int = -1) -> LogMeta:
    return nothing_logged(claim=claim, claimed_at=claimed_at)


def counting(messages: list[LogMeta], claims: Claims | None = None) -> list[int]:
    """The offsets of those that count."""
    claims = claims or Claims()
    return [offset for offset, each in enumerate(messages) if not claims.superseded(0, offset, each)]


def test_where_nothing_is_claimed_everything_counts() -> None:
    assert counting([meta(), meta()]) == [0, 1]


def test_behind_a_claim_only_what_is_written_under_it_counts() -> None:
    log = [meta(), meta(1), meta(), meta(1, 1), meta(2), meta(1, 1), meta(2, 4), meta()]
    assert counting(log) == [0, 1, 3, 4, 6]


def test_of_two_claims_of_one_number_the_first_holds() -> None:
    log = [meta(3), meta(3), meta(3, 1), meta(3, 0)]
    assert counting(log) == [0, 3]


def test_a_claim_that_comes_too_late_and_what_is_written_under_it_count_nowhere() -> None:
    log = [meta(6), meta(5), meta(5, 1), meta(6, 0)]
    assert counting(log) == [0, 3]


def test_who_begins_in_the_middle_takes_the_first_claim_seen_and_later_a_higher_one() -> None:
    claims = Claims()
    assert not claims.superseded(0, 70, meta(4, 60))
    assert not claims.superseded(0, 71, meta(5, 65))
    assert claims.superseded(0, 72, meta(4, 60))


def test_partitions_have_claims_of_their_own_and_a_copy_goes_its_own_way() -> None:
    claims = Claims({1: Claim(2, 10)})
    copy = claims.copy()
    assert not copy.superseded(1, 20, meta(3))
    assert (claims.of(1), copy.of(1), copy.of(0)) == (Claim(2, 10), Claim(3, 20), NO_CLAIM)
