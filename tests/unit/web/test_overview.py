from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from console.web.visitor import Role
from tests.support.web_events import Stored
from tests.unit.keeper.written import MINUTE, START
from training.keeper.views.overview import decided, first_arrival, last_run, money

if TYPE_CHECKING:
    from tests.support.web import Person
    from training.keeper.desk import Desk

HOUR = 60 * MINUTE


@pytest.fixture
def stored(desk: Desk) -> Stored:
    return Stored(desk)


def said(desk: Desk, event: str, label: str, source: str = "analyst", after: int = HOUR) -> None:
    """Store an outcome that arrives so long after the first event."""
    desk.parts.store.execute(
        "INSERT INTO outcomes SELECT 0, count(*), $event, $label, $source, make_timestamp($at), "
        "make_timestamp($at) FROM outcomes",
        {"event": event, "label": label, "source": source, "at": START + after},
    )
    desk.parts.clock.observe(START + after)


def test_decisions_are_counted_by_action_and_stretch(desk: Desk, stored: Stored) -> None:
    stored.add(60)
    stored.add(30, action="review", fallback="cold_start")
    stored.add(30, action="decline")
    counted = decided(desk.parts, START, HOUR)
    assert [
        (row["began"], row["approve"], row["review"], row["decline"], row["fallbacks"]) for row in counted
    ] == [
        (START, 60, 0, 0, 0),
        (START + HOUR, 0, 30, 30, 30),
    ]
    assert decided(desk.parts, START + HOUR, HOUR) == counted[1:]
    assert first_arrival(desk.parts, START + 1) == START + MINUTE
    assert first_arrival(desk.parts, START + 7 * HOUR) is None


def test_money_is_what_known_frauds_cost_or_would_have(desk: Desk, stored: Stored) -> None:
    priced: dict[str, Any] = {"amount": Decimal("100.50")}
    (missed,) = stored.add(**priced)
    (stopped,) = stored.add(action="decline", policy_action="decline", **priced)
    (control,) = stored.add(action="approve", policy_action="review", amount=Decimal(7))
    (legitimate,) = stored.add(action="decline", policy_action="decline", **priced)
    stored.add(**priced)
    for event in (missed, stopped, control):
        said(desk, event, "fraud")
    said(desk, legitimate, "legitimate")
    (row,) = money(desk.parts, START, 24 * HOUR)
    assert row == {
        "began": START,
        "stopped": 100.5,
        "missed": 100.5,
        "control": 7.0,
        "frauds": 3,
        "false_declines": 1,
    }


def test_money_goes_by_the_word_that_counts(desk: Desk, stored: Stored) -> None:
    (event,) = stored.add(amount=Decimal(10))
    said(desk, event, "fraud", "chargeback")
    said(desk, event, "legitimate", "analyst")
    (row,) = money(desk.parts, START, 24 * HOUR)
    assert (row["missed"], row["frauds"]) == (0.0, 0)


@pytest.mark.parametrize("role", Role)
def test_everybody_sees_how_it_is_going(
    desk: Desk, stored: Stored, role: Role, request: pytest.FixtureRequest
) -> None:
    stored.add(30, action="review")
    desk.parts.alert("drift", "<script>alert(1)</script>", {})
    person: Person = request.getfixturevalue(role.value)
    page = ""
    while "in the last day" not in page or "still asking" in page:
        page = person.get("/").text
    assert page.count("0 approve, 1 review, 0 decline") == 30
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "Live figures are missing or old: the monitor: nobody told the keeper where it is" in page
    assert "the rules of the cold start decide" in page


def test_a_stretch_of_time_is_chosen_or_found(desk: Desk, stored: Stored, viewer: Person) -> None:
    stored.add(20)
    assert "Decisions, last hour" in viewer.get("/").text
    assert "Decisions, last 7 days" in viewer.get("/?span=week").text
    stored.add(120)
    assert "Decisions, last 24 hours" in viewer.get("/?span=nonsense").text


def test_the_last_training_that_is_over_is_told(desk: Desk, viewer: Person) -> None:
    assert last_run(desk.parts) is None
    first = desk.runs.request("schedule", START)
    desk.runs.start(first, None)
    desk.runs.end(first, "refused", "<b>too few frauds</b>", None)
    desk.runs.request("command", START + HOUR)
    assert last_run(desk.parts) == {
        "run_id": first.run_id,
        "state": "refused",
        "detail": "<b>too few frauds</b>",
    }
    assert "last one refused: &lt;b&gt;too few frauds" in viewer.get("/").text
