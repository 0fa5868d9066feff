"""The policy in the console: what is in force, its history, and changes that people make there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from console.web.masking import HIDDEN
from streams.messages import EntityList, ListEntry, PolicyRule, Snooze, Thresholds
from training.policy.content import Content
from training.policy.difference import differences

if TYPE_CHECKING:
    from httpx2 import Response

    from tests.support.web import Person
    from training.keeper.audit import Change
    from training.keeper.desk import Desk

START = 1_767_225_600_000_000
RULE = {"name": "large", "when": "amount_eur > 100", "action": "review", "queue": "big"}


def change(person: Person, path: str, base: int, **fields: str) -> Response:
    return person.post(f"/policy/{path}", base_version=str(base), **{"why": "a test", **fields})


def edit(person: Person, base: int, **asked: Any) -> Response:
    return change(person, "edit", base, edit=msgspec.json.encode(asked).decode())


def changes(desk: Desk) -> list[Change]:
    """What was changed in the console, the newest first."""
    return [each for each in desk.audit.newest() if each.via == "console"]


def test_a_value_goes_on_a_list_and_off_again_with_who_and_why(desk: Desk, operator: Person) -> None:
    desk.parts.clock.observe(START)
    answer = change(operator, "enlist", 0, kind="deny", field="card", value="c'1\"<", lasting="7d")
    assert answer.headers["location"] == "/console/policy?made=1"
    document = desk.policies.in_force().document
    (entry,) = document.lists[0].entries
    assert (entry.value, entry.note, document.made_by) == ("c'1\"<", "a test", "operator")
    assert entry.until == "2026-01-08T00:00:00.000000Z"
    page = operator.get("/policy").text
    assert "c&#39;1&#34;&lt;" in page
    removing = page.split('name="edit" value=\'')[1].split("'")[0]
    assert change(operator, "edit", 1, edit=removing).status_code == 303
    assert desk.policies.in_force().document.lists == []
    newest, first = changes(desk)
    assert (first.what, first.subject, first.before) == ("policy", "version 1", {"version": 0})
    assert first.after["has"][1].startswith("entry deny_card card c'1\"<: until 2026-01-08")
    assert newest.before["had"] == first.after["has"]


def test_nothing_is_overwritten_that_came_in_between(desk: Desk, operator: Person) -> None:
    change(operator, "rule", 0, **RULE)
    answer = change(operator, "enlist", 0, kind="allow", field="card", value="c1")
    assert answer.status_code == 409
    assert "made from version 0, but 1 is in force" in answer.text
    assert desk.policies.in_force().document.version == 1
    assert len(changes(desk)) == 1


def test_a_rule_is_turned_off_and_on_again(desk: Desk, operator: Person) -> None:
    change(operator, "rule", 0, **RULE)
    edit(operator, 1, edit="drop_rule", name="large")
    assert desk.policies.in_force().document.rules == []
    page = operator.get("/policy").text
    assert "Turn on" in page
    again = page.split("Turn on")[1].split('name="edit" value=\'')[1].split("'")[0]
    change(operator, "edit", 2, edit=again)
    (rule,) = desk.policies.in_force().document.rules
    assert rule == PolicyRule("large", "amount_eur > 100", "review", "big")


def test_an_earlier_version_comes_back_as_a_new_one(desk: Desk, operator: Person) -> None:
    change(operator, "rule", 0, **RULE)
    change(operator, "thresholds", 1, review="0.3", decline="")
    assert desk.policies.in_force().document.thresholds == Thresholds(review=0.3)
    page = operator.get("/policy/versions/1").text
    assert "amount_eur &gt; 100" in page
    assert "review from 0.3" in page
    change(operator, "return", 2, version="1")
    document = desk.policies.in_force().document
    assert (document.version, document.thresholds, len(document.rules)) == (3, None, 1)
    change(operator, "reset", 3)
    assert desk.policies.told()["differs_from_file"] is False
    assert operator.get("/policy/versions/9").status_code == 404


def test_what_is_unsound_is_refused_with_the_reason(desk: Desk, operator: Person) -> None:
    desk.parts.clock.observe(START)
    for path, fields, status, said in (
        ("rule", RULE | {"when": "amont > 1"}, 409, "amont"),
        ("rule", RULE | {"name": ""}, 400, "Fill in name"),
        ("edit", {"edit": "["}, 400, "reload the page"),
        ("edit", {"edit": "[" * 2_000}, 400, "reload the page"),
        ("edit", {"edit": '{"edit": "burn"}'}, 409, "not understood"),
        ("snooze", {"field": "card", "value": "c1", "lasting": "soon"}, 409, "soon"),
        ("thresholds", {"review": "high", "decline": ""}, 400, "from 0 to 1"),
        ("enlist", {"kind": "deny", "field": "card", "value": "c", "why": " "}, 409, "why: say it"),
        ("reset", {"base_version": "x"}, 400, "reload the page"),
    ):
        answer = operator.post(f"/policy/{path}", **{"why": "a test", "base_version": "0", **fields})
        assert (answer.status_code, said in answer.text) == (status, True), (path, said)
    assert desk.policies.in_force().document.version == 0
    assert changes(desk) == []


def test_only_operators_change_it_and_viewers_see_no_personal_values(
    desk: Desk, operator: Person, analyst: Person, viewer: Person
) -> None:
    change(operator, "enlist", 0, kind="watch", field="holder", value="Jane Roe")
    for person in (analyst, viewer):
        assert "base_version" not in person.get("/policy").text
        assert change(person, "reset", 1).status_code == 403
    for path in ("/policy", "/policy?find=Jane", "/policy/versions/1"):
        assert "Jane Roe" in analyst.get(path).text
        assert "Jane Roe" not in viewer.get(path).text
    assert "•••" in viewer.get("/policy").text
    assert "•••" not in viewer.get("/policy?find=Jane").text, "searching tells no value either"


def test_viewers_do_not_see_whom_a_rule_is_about(
    desk: Desk, operator: Person, analyst: Person, viewer: Person
) -> None:
    change(operator, "rule", 0, name="her", when="holder = 'Jane O''Roe' OR amount > 777.5", action="review")
    change(operator, "rule", 1, name="large_24", when="amount > 500", action="review")
    for path in ("/policy", "/policy/versions/1"):
        assert "Roe" in analyst.get(path).text
        page = viewer.get(path).text
        assert "Roe" not in page
        assert "777.5" not in page
        assert f"holder = {HIDDEN} OR amount &gt; {HIDDEN}" in page
    assert "amount &gt; 500" in viewer.get("/policy").text


def test_differences_name_every_part_that_is_gone_or_new() -> None:
    before = Content(
        rules=[PolicyRule("a", "x > 1", "review"), PolicyRule("b", "x > 2", "decline")],
        lists=[EntityList("deny_card", "deny", "card", [ListEntry("c1"), ListEntry("c2")])],
        snoozes=[Snooze("card", "c3", "2026-01-01T00:00:00Z")],
        review_margin=1.0,
    )
    after = Content(
        rules=[PolicyRule("b", "x > 2", "decline"), PolicyRule("a", "x > 3", "review", "q")],
        lists=[EntityList("deny_card", "deny", "card", [ListEntry("c2", note="n"), ListEntry("c1")])],
        thresholds=Thresholds(0.2, 0.9),
        review_margin=2.0,
    )
    found = [(each.way, each.part, each.name, each.value, each.said) for each in differences(before, after)]
    assert found == [
        ("gone", "rule", "a", None, "review when x > 1"),
        ("new", "rule", "a", None, "review when x > 3, queue q"),
        ("gone", "entry", "deny_card", "c2", ""),
        ("new", "entry", "deny_card", "c2", "n"),
        ("gone", "snooze", "snooze:card", "c3", "until 2026-01-01 00:00:00"),
        ("new", "thresholds", "thresholds", None, "review from 0.2, decline from 0.9"),
        ("gone", "review_margin", "review_margin", None, "1"),
        ("new", "review_margin", "review_margin", None, "2"),
    ]
    assert differences(after, after) == []
