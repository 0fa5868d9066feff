"""Figures that pages read from the store, where the easy answer would be wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.support.web_events import Stored
from tests.unit.keeper.written import MINUTE, START
from training.keeper.views.decisions import Wanted, find_decisions
from training.keeper.views.entities import entity_histories
from training.keeper.views.review import Asked, done_today, waiting_reviews

if TYPE_CHECKING:
    from tests.support.web import Person
    from training.keeper.desk import Desk


@pytest.fixture
def stored(desk: Desk) -> Stored:
    return Stored(desk)


def say(desk: Desk, event: str, *words: tuple[str, str]) -> None:
    """Store (label, source), all said at one instant."""
    for label, source in words:
        desk.parts.store.execute(
            "INSERT INTO outcomes SELECT 0, count(*), $event, $label, $source, make_timestamp($at), "
            "make_timestamp($at) FROM outcomes",
            {"event": event, "label": label, "source": source, "at": START + MINUTE},
        )


def test_a_fraud_that_was_taken_back_counts_for_no_entity(stored: Stored, desk: Desk) -> None:
    """The pipeline believes its analysts before chargebacks."""
    undone, overruled, fraud = stored.add(3, card="c1")
    say(desk, undone, ("fraud", "analyst"), ("legitimate", "analyst"))
    say(desk, overruled, ("legitimate", "analyst"), ("fraud", "chargeback"))
    say(desk, fraud, ("legitimate", "chargeback"), ("fraud", "analyst"))
    with desk.parts.store.cursor() as cursor:
        (card,) = entity_histories(cursor, desk.parts.pipeline, {"card": "c1"}, START)
    assert (card.events, card.frauds) == (3, 1)
    assert sorted(str(each.label) for each in card.lines) == ["fraud", "legitimate", "legitimate"]


def test_the_work_of_the_day_goes_by_the_last_word_of_one_instant(stored: Stored, desk: Desk) -> None:
    """On the stream clock an undo within a second bears the instant of what it undoes."""
    for event in stored.add(6):
        say(desk, event, ("fraud", "analyst"), ("legitimate", "analyst"))
    with desk.parts.store.cursor() as cursor:
        done = done_today(cursor, desk.parts.pipeline, "analyst", START + MINUTE)
    assert (done.done, done.frauds) == (6, 0)


def test_a_search_that_found_an_id_can_go_on_to_what_else_has_that_value(stored: Stored, desk: Desk) -> None:
    (older,) = stored.add(card="7")
    stored.add(180)
    (named,) = stored.add(event_id="7", card="c2")
    found, pages = [], 0
    wanted = Wanted(text="7", text_fields=("card",))
    with desk.parts.store.cursor() as cursor:
        page = find_decisions(cursor, desk.parts.pipeline, wanted)
        found += page.lines
        while page.next is not None and pages < 5:
            pages += 1
            wanted = Wanted(text="7", text_fields=("card",), before=page.next)
            page = find_decisions(cursor, desk.parts.pipeline, wanted)
            found += page.lines
    assert [each.event_id for each in found] == [named, older]


def test_instants_of_a_search_are_utc_unless_they_say_otherwise(stored: Stored, operator: Person) -> None:
    """What is stored arrives from 2026-01-01T00:00Z on, a minute apart."""
    ids = stored.add(3)
    for since in ("2026-01-01T00:02", "2026-01-01T00:02Z", "2026-01-01T02:02%2B02:00"):
        page = operator.get(f"/decisions?since={since}").text
        assert [each for each in ids if f"id={each}&" in page.replace("&amp;", "&")] == ids[2:]


def test_a_queue_of_small_sums_is_found_behind_many_large_ones(
    stored: Stored, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.keeper.views.review._MOST", 3)
    stored.add(5, action="review", amount=Decimal(900), score=0.9)
    (small,) = stored.add(
        action="review", amount=Decimal(1), score=0.1, rules=["new"], message={"queue": "new cards"}
    )
    pipeline, rules = desk.parts.pipeline, frozenset({"new"})
    with desk.parts.store.cursor() as cursor:
        found = waiting_reviews(cursor, pipeline, Asked("new cards", rules), START + 60 * MINUTE)
        others = waiting_reviews(cursor, pipeline, Asked("", rules), START + 60 * MINUTE)
    assert [each.of.event_id for each in found.items] == [small]
    assert (found.waiting, found.by_queue, len(others.items)) == (6, {"": 3}, 3)
