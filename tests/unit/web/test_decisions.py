"""The list of decisions, and the page of one of them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from streams.messages import PolicyRule, Reason
from tests.support.web_events import Stored
from training.keeper.views.decisions import Position, Wanted, find_decisions

if TYPE_CHECKING:
    from tests.support.web import Person
    from training.keeper.desk import Desk

ROW = re.compile(r"decisions/event\?id=([^&\"]+)")


@pytest.fixture
def stored(desk: Desk) -> Stored:
    return Stored(desk)


def listed(person: Person, query: str) -> list[str]:
    answer = person.get(f"/decisions{query}")
    assert answer.status_code == 200, answer.text
    return ROW.findall(answer.text)


def test_pages_go_back_without_gap_or_repeat(stored: Stored, operator: Person) -> None:
    ids = stored.add(120)
    seen, query = [], ""
    while True:
        page = operator.get(f"/decisions{query}").text
        seen += ROW.findall(page)
        further = re.search(r'href="(\?[^"]*before=[^"]*)"', page)
        if further is None:
            break
        query = further[1].replace("&amp;", "&")
    assert seen == ids[::-1]


def test_a_search_without_patience_goes_on_where_it_paused(stored: Stored, desk: Desk) -> None:
    first, *_ = stored.add(200)
    wanted, pauses = Wanted(text=first), 0
    with desk.parts.store.cursor() as cursor:
        found = find_decisions(cursor, desk.parts.pipeline, wanted, patience_s=-1)
        while found.next is not None and pauses < 10:
            assert found.searched_to is not None
            assert found.lines == []
            pauses += 1
            wanted = Wanted(text=first, before=Position.of_text(str(found.next)))
            found = find_decisions(cursor, desk.parts.pipeline, wanted, patience_s=-1)
    assert pauses == 3
    assert [each.event_id for each in found.lines] == [first]


def test_filters_narrow_the_list(stored: Stored, operator: Person) -> None:
    (plain,) = stored.add(card="c0")
    (reviewed,) = stored.add(card="c1", action="review", rules=["big"], score=0.4, model="v1")
    (declined,) = stored.add(card="c2", action="decline", score=0.9, model="v2", amount=Decimal("12.50"))
    (failed,) = stored.add(card="c1", fallback="deadline")
    assert listed(operator, "?action=review") == [reviewed]
    assert listed(operator, "?rule=big") == [reviewed]
    assert listed(operator, "?model=v2") == [declined]
    assert listed(operator, "?fallback=deadline") == [failed]
    assert listed(operator, "?least=0.5") == [declined]
    assert listed(operator, "?most=0.5") == [reviewed]
    assert listed(operator, "?text=c1") == [failed, reviewed]
    assert listed(operator, "?text=c*&action=decline") == [declined]
    assert listed(operator, "?text=12.50") == [declined]
    assert listed(operator, f"?text={plain}") == [plain]
    assert listed(operator, "?since=2026-01-01T00:02&until=2026-01-01T00:02") == [declined]
    assert listed(operator, "?text=%27%20OR%201%3D1") == []


def test_what_is_no_filter_is_refused_with_the_reason(operator: Person) -> None:
    for query, why in (
        ("?least=much", "is not a number"),
        ("?since=soon", "is not a time"),
        ("?before=x", "no place"),
        (f"?before={'9' * 30}_0_0", "no place"),
    ):
        answer = operator.get(f"/decisions{query}")
        assert answer.status_code == 400
        assert why in answer.text


def test_a_queue_holds_what_was_sent_there_then(stored: Stored, desk: Desk, operator: Person) -> None:
    rule = PolicyRule("big", "amount > 10", "review", queue="large")
    desk.policies.asked(
        {
            "made_by": "ann",
            "why": "a queue",
            "edits": [
                {
                    "edit": "set_rule",
                    "rule": {"name": "big", "when": rule.when, "action": "review", "queue": "large"},
                }
            ],
        }
    )
    stored.add(action="review", rules=["big"])  # before the rule named the queue
    (sent,) = stored.add(action="review", rules=["big"], message={"queue": "large"})
    assert listed(operator, "?queue=large") == [sent]


def test_viewers_neither_see_personal_data_nor_find_by_it(
    stored: Stored, viewer: Person, analyst: Person
) -> None:
    (found,) = stored.add(holder="Erika Muster")
    assert "Erika Muster" in analyst.get("/decisions").text
    assert listed(analyst, "?text=Erika%20Muster") == [found]
    assert "Erika Muster" not in viewer.get("/decisions").text
    assert listed(viewer, "?text=Erika%20Muster") == []
    assert "Erika Muster" not in viewer.get(f"/decisions/event?id={found}").text
    assert "Erika Muster" in analyst.get(f"/decisions/event?id={found}").text


def test_what_a_producer_wrote_is_text_and_nothing_else(stored: Stored, operator: Person) -> None:
    evil = "<script>alert(1)</script>&\"'"
    stored.add(event_id=evil, card=evil, action="review")
    link = "?id=%3Cscript%3Ealert(1)%3C/script%3E%26%22%27"
    for page in ("/decisions", f"/decisions/event{link}", "/review", f"/decisions?text={evil}"):
        answer = operator.get(page)
        assert answer.status_code == 200, page
        assert "<script>alert" not in answer.text, page
        assert "&lt;script&gt;alert(1)" in answer.text, page


def test_one_decision_tells_what_it_was_decided_by(stored: Stored, desk: Desk, operator: Person) -> None:
    reason = Reason("amount_eur", 3.0, 1.25, "an amount of 3", "path")
    stored.add(2, card="c9")
    (event,) = stored.add(
        card="c9",
        action="review",
        policy_action="review",
        rules=["big"],
        score=0.25,
        margin=-1.1,
        model="gone",
        engine="lightgbm",
        message={"reasons": [reason], "shadow": {"v7": 0.125}},
    )
    desk.parts.store.execute(
        "INSERT INTO outcomes VALUES (0, 0, $id, 'fraud', 'chargeback', '2026-01-02', '2026-01-03')",
        {"id": event},
    )
    page = operator.get(f"/decisions/event?id={event}").text
    for told in ("0.250000", "big", "+1.2500", "Shadow v7", "0.125000", "chargeback", "2026-01-03 00:00:00"):
        assert told in page, told
    assert "not reproduced" in page  # its model is gone; what the decision said stands
    assert "By path, as the decision said" in page
    history = page[page.index("History of its entities") :]
    assert "3 events, 1 reviewed, 0 declined, 1 known as fraud" in history
    assert len(ROW.findall(history)) == 3


def test_an_event_that_is_not_there_is_a_404(operator: Person, stored: Stored) -> None:
    assert operator.get("/decisions/event?id=none").status_code == 404
    (event,) = stored.add()
    assert operator.get(f"/decisions/event?id={event}&at=0_77").status_code == 404


def test_a_value_is_listed_or_snoozed_from_the_page(stored: Stored, desk: Desk, analyst: Person) -> None:
    (event,) = stored.add(card="c5")
    page = f"/decisions/event?id={event}&at=0_0"
    asked = {"field": "card", "value": "c5", "why": "stolen", "then": page}
    done = analyst.post("/decisions/list", what="deny", lasting="24h", **asked)
    assert (done.status_code, done.headers["location"]) == (303, f"/console{page}&policy=1")
    analyst.post("/decisions/list", what="snooze", lasting="1h", **asked)
    document = desk.policies.in_force().document
    (entry,) = document.lists[0].entries
    assert (document.lists[0].kind, entry.value, entry.note) == ("deny", "c5", "stolen")
    assert entry.until is not None
    assert document.snoozes[0].value == "c5"
    assert document.made_by == "analyst"
    (snoozed, listed) = [each for each in desk.audit.newest() if each.via == "console"]
    assert (listed.who, listed.what, listed.subject) == ("analyst", "policy", "version 1")
    assert (snoozed.who, snoozed.before["version"], snoozed.after["why"]) == ("analyst", 1, "stolen")
    assert "of the policy is in force" in analyst.get(f"{page}&policy=1").text


def test_what_has_no_end_or_lets_fraud_through_takes_an_operator(
    stored: Stored, desk: Desk, analyst: Person, operator: Person, viewer: Person
) -> None:
    stored.add(card="c5")
    asked = {"field": "card", "value": "c5", "why": "known"}
    assert analyst.post("/decisions/list", what="allow", lasting="1h", **asked).status_code == 400
    for lasting in ("", "60d", "soon"):
        assert analyst.post("/decisions/list", what="deny", lasting=lasting, **asked).status_code == 400
    assert viewer.post("/decisions/list", what="watch", lasting="1h", **asked).status_code == 403
    for long in ("value", "why"):
        fields = asked | {long: "x" * 301}
        assert analyst.post("/decisions/list", what="deny", lasting="1h", **fields).status_code == 400
    assert desk.policies.in_force().document.lists == []
    assert operator.post("/decisions/list", what="allow", lasting="", **asked).status_code == 303
    assert desk.policies.in_force().document.lists[0].entries[0].until is None


def test_an_analyst_does_not_end_early_what_an_operator_said(
    stored: Stored, desk: Desk, analyst: Person, operator: Person
) -> None:
    stored.add(card="c5")
    asked = {"field": "card", "value": "c5", "why": "known"}
    for what, lasting in (("deny", ""), ("watch", "7d"), ("snooze", "7d")):
        assert operator.post("/decisions/list", what=what, lasting=lasting, **asked).status_code == 303
    before = desk.policies.in_force().document
    for what, told in (("deny", "for good"), ("watch", "until 2026"), ("snooze", "until 2026")):
        answer = analyst.post("/decisions/list", what=what, lasting="1h", **asked)
        assert (answer.status_code, told in answer.text) == (400, True)
    assert desk.policies.in_force().document == before
    assert analyst.post("/decisions/list", what="watch", lasting="8d", **asked).status_code == 303
    assert operator.post("/decisions/list", what="deny", lasting="1h", **asked).status_code == 303
