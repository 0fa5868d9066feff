"""The audit finds what is lost and what is there twice."""

from __future__ import annotations

from console.demo.audit import audit

EVENTS = [((0, 0), "a"), ((0, 1), "b"), ((1, 0), "a"), ((1, 1), None)]
DECIDED = [((0, 0), "a"), ((0, 1), "b")]
BURIED = [(1, 1)]


def test_sound_when_every_record_has_one_fate() -> None:
    found = audit(EVENTS, DECIDED, BURIED)
    assert found.sound
    assert (found.events, found.decisions, found.dead_letters, found.repeats) == (4, 2, 1, 1)


def test_undecided_record_is_lost_even_if_another_follows() -> None:
    found = audit([*EVENTS, ((0, 2), "c")], DECIDED, BURIED)
    assert (found.lost, found.repeats, found.sound) == (1, 1, False)
    assert found.examples == ["lost: (0, 2) id c"]


def test_unreadable_record_without_dead_letter_is_lost() -> None:
    assert audit(EVENTS, DECIDED, []).lost == 1


def test_repeat_of_an_id_that_is_a_dead_letter_only_is_lost() -> None:
    events = [((0, 0), "a"), ((0, 1), "a")]
    assert audit(events, [], [(0, 0)]).lost == 1


def test_second_decision_for_a_record_is_a_duplicate() -> None:
    found = audit(EVENTS, [*DECIDED, DECIDED[0]], BURIED)
    assert (found.duplicates, found.lost, found.sound) == (1, 0, False)


def test_repeat_that_was_decided_too_is_a_duplicate() -> None:
    found = audit(EVENTS, [*DECIDED, ((1, 0), "a")], BURIED)
    assert (found.duplicates, found.repeats) == (1, 0)


def test_decided_and_buried_is_a_duplicate() -> None:
    assert audit(EVENTS, DECIDED, [*BURIED, (0, 0)]).duplicates == 1


def test_decision_for_a_record_that_is_not_there_is_a_stray() -> None:
    found = audit(EVENTS, [*DECIDED, ((7, 0), "z")], BURIED)
    assert (found.strays, found.sound) == (1, False)


def test_decision_under_another_id_is_a_stray() -> None:
    found = audit(EVENTS, [((0, 0), "z"), ((0, 1), "b")], BURIED)
    assert found.strays == 1


def test_an_amended_decision_is_none_of_the_decisions() -> None:
    found = audit(EVENTS, DECIDED, BURIED, [((0, 5), "b")], {(0, 4): "a", (0, 5): "b"})
    assert found.sound
    assert (found.decisions, found.amendments) == (2, 1)


def test_a_decision_that_is_amended_twice_is_a_duplicate() -> None:
    found = audit(EVENTS, DECIDED, BURIED, [((0, 5), "b")] * 2, {(0, 5): "b"})
    assert (found.duplicates, found.examples) == (1, ["more than once: amended (0, 5)"])


def test_an_amended_decision_that_names_none_about_its_event_is_a_stray() -> None:
    found = audit(EVENTS, DECIDED, BURIED, [((0, 4), "b")], {(0, 4): "a", (0, 5): "b"})
    assert (found.strays, found.sound) == (1, False)
    assert found.examples == ["amends no decision about its event: (0, 4)"]
