"""One alert per episode."""

from __future__ import annotations

from streams.monitor.episodes import Changes, Episodes, Level, Subject

AMOUNT, SCORE, OTHER = Subject("drift", "amount"), Subject("drift", "score"), Subject("silence", "events")
KINDS = frozenset({"drift"})


def _looks(episodes: Episodes, *levels: Level) -> list[Changes]:
    return [episodes.look({AMOUNT: level}, KINDS) for level in levels]


def test_it_is_raised_once_after_enough_looks_in_a_row() -> None:
    episodes = Episodes(3, 2)
    bad = Level.BAD
    found = _looks(episodes, bad, bad, Level.BETWEEN, bad, bad, bad, bad, bad)
    assert [each.raised for each in found] == [[], [], [], [], [], [AMOUNT], [], []]


def test_it_is_cleared_once_when_it_is_gone_for_long_enough_and_may_come_again() -> None:
    episodes = Episodes(1, 2)
    bad, good, between = Level.BAD, Level.GOOD, Level.BETWEEN
    found = _looks(episodes, bad, good, between, good, Level.UNKNOWN, good, good, good, bad)
    assert [each.cleared for each in found] == [[], [], [], [], [], [], [AMOUNT], [], []]
    assert [bool(each.raised) for each in found] == [True, *[False] * 7, True]


def test_a_monitor_that_starts_again_goes_on_with_what_was_said() -> None:
    episodes = Episodes(1, 1)
    episodes.heard([AMOUNT, SCORE], [])
    episodes.heard([], [SCORE])
    assert episodes.look({AMOUNT: Level.BAD, SCORE: Level.BAD}, KINDS) == Changes([SCORE], [])
    assert episodes.look({AMOUNT: Level.GOOD, SCORE: Level.BAD}, KINDS) == Changes([], [AMOUNT])


def test_what_is_not_looked_at_any_more_is_over_and_other_kinds_are_left_alone() -> None:
    episodes = Episodes(1, 2)
    episodes.heard([AMOUNT, OTHER], [])
    found = [episodes.look({SCORE: Level.GOOD}, KINDS) for _ in range(3)]
    assert [each.cleared for each in found] == [[], [AMOUNT], []]
    assert episodes.open == {OTHER}


def test_another_reference_begins_to_count_anew() -> None:
    episodes = Episodes(2, 1)
    episodes.look({AMOUNT: Level.BAD}, KINDS)
    episodes.forget_streaks(KINDS)
    assert episodes.look({AMOUNT: Level.BAD}, KINDS) == Changes([], [])
