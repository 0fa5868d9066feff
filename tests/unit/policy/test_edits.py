"""Edits of a policy, by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from feature_store.errors import ContractError, PolicyError
from feature_store.units import from_text
from streams.messages import EntityList, ListEntry, PolicyDocument, PolicyRule, Snooze, Thresholds
from streams.policies import compile_policy, default_document
from tests.support.payments import pipeline_of, shipped_tree
from training.policy.change import PolicyChange, check_base
from training.policy.content import Content, content_in, understood, with_content
from training.policy.edits import Edit, Setting, edited

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

NOW = "2026-03-01T12:00:00.000000Z"
WHO: dict[str, Any] = {"made_by": "ann", "why": "for a test"}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    tree = shipped_tree()
    tree["event"]["fields"]["branch"] = {"type": "integer", "required": False}
    return pipeline_of(tree, tmp_path)[1]


@pytest.fixture
def at(pipeline: Pipeline) -> Setting:
    return Setting(pipeline, from_text(NOW))


def after(at: Setting, content: Content, *edits: dict[str, Any]) -> Content:
    """``content`` after edits as a client writes them; it must be able to act."""
    found = edited(content, [msgspec.convert(each, Edit) for each in edits], at)
    compile_policy(at.pipeline, with_content(default_document(at.pipeline), found))
    return found


def set_rule(rule: PolicyRule) -> dict[str, Any]:
    return {"edit": "set_rule", "rule": msgspec.to_builtins(rule)}


def test_a_rule_is_added_replaced_in_its_place_and_removed(at: Setting) -> None:
    one, two = PolicyRule("one", "amount > 1", "review"), PolicyRule("two", "amount > 2", "decline")
    other = PolicyRule("one", "score > 0.5", "decline", "night")
    content = after(
        at, Content(), *({"edit": "set_rule", "rule": msgspec.to_builtins(r)} for r in (one, two))
    )
    assert content.rules == [one, two]
    content = after(at, content, set_rule(other))
    assert content.rules == [other, two]
    assert after(at, content, {"edit": "drop_rule", "name": "one"}).rules == [two]
    with pytest.raises(PolicyError, match="no rule 'three'; rules are: one, two"):
        after(at, content, {"edit": "drop_rule", "name": "three"})


def test_a_value_goes_on_the_list_of_its_kind_and_field_once_and_ends_by_itself(at: Setting) -> None:
    deny = {"edit": "enlist", "kind": "deny", "field": "card_id", "value": "k1"}
    content = after(at, Content(), deny, deny | {"value": "k2", "lasting": "7d", "note": "stolen"})
    assert content.lists == [
        EntityList(
            "deny_card_id",
            "deny",
            "card_id",
            [ListEntry("k1"), ListEntry("k2", "2026-03-08T12:00:00.000000Z", "stolen")],
        )
    ]
    named = replace(content, lists=[replace(content.lists[0], name="stolen_cards")])
    again = after(at, named, deny | {"lasting": "1h"}, deny | {"kind": "watch"})
    assert [each.name for each in again.lists] == ["stolen_cards", "watch_card_id"]
    assert {entry.value: entry.until for entry in again.lists[0].entries} == {
        "k1": "2026-03-01T13:00:00.000000Z",
        "k2": "2026-03-08T12:00:00.000000Z",
    }


def test_a_value_comes_off_every_list_or_off_one_kind(at: Setting) -> None:
    enlist = {"edit": "enlist", "field": "card_id", "value": "k1"}
    unlist = {"edit": "unlist", "field": "card_id", "value": "k1"}
    content = after(
        at,
        Content(),
        enlist | {"kind": "deny"},
        enlist | {"kind": "watch"},
        enlist | {"kind": "watch", "value": "k2"},
    )
    assert [e.value for each in after(at, content, unlist).lists for e in each.entries] == ["k2"]
    watched = after(at, content, unlist | {"kind": "watch"})
    assert [(each.kind, [e.value for e in each.entries]) for each in watched.lists] == [
        ("deny", ["k1"]),
        ("watch", ["k2"]),
    ]
    with pytest.raises(PolicyError, match="card_id 'k1' is on no watch list"):
        after(at, watched, unlist | {"kind": "watch"})


def test_snoozes_replace_each_other_and_can_be_ended(at: Setting) -> None:
    snooze = {"edit": "snooze", "field": "customer_id", "value": "c1", "lasting": "2h", "why": "on a trip"}
    content = after(at, Content(), snooze, snooze | {"lasting": "4h"})
    assert content.snoozes == [Snooze("customer_id", "c1", "2026-03-01T16:00:00.000000Z", "on a trip")]
    end = {"edit": "unsnooze", "field": "customer_id", "value": "c1"}
    assert after(at, content, end).snoozes == []
    with pytest.raises(PolicyError, match="not snoozed"):
        after(at, content, end, end)


def test_an_edit_clears_away_what_has_expired(at: Setting) -> None:
    entries = [
        ListEntry("k1", "2026-03-01T11:59:59Z"),
        ListEntry("k2", "2026-03-01T12:00:01Z"),
        ListEntry("k3"),
    ]
    content = Content(
        lists=[EntityList("cards", "deny", "card_id", entries)],
        snoozes=[Snooze("card_id", "k4", NOW)],
    )
    found = after(at, content, {"edit": "thresholds", "thresholds": {"review": 0.2, "decline": None}})
    assert [entry.value for entry in found.lists[0].entries] == ["k2", "k3"]
    assert (found.snoozes, found.thresholds) == ([], Thresholds(0.2))


def test_before_the_first_event_of_a_stream_nothing_can_be_timed(pipeline: Pipeline) -> None:
    deny = {"edit": "enlist", "kind": "deny", "field": "card_id", "value": "k1"}
    before = Setting(pipeline, 0)
    assert after(before, Content(), deny).lists[0].entries == [ListEntry("k1")]
    with pytest.raises(PolicyError, match="has seen no event yet"):
        after(before, Content(), deny | {"lasting": "7d"})


def test_a_number_from_a_command_line_becomes_one_where_the_field_is_one(at: Setting) -> None:
    deny = {"edit": "enlist", "kind": "deny", "field": "branch", "value": "17"}
    assert after(at, Content(), deny).lists[0].entries == [ListEntry(17)]
    with pytest.raises(PolicyError, match="'x' is no value of branch"):
        after(at, Content(), deny | {"value": "x"})
    with pytest.raises(PolicyError, match="no event field 'brunch'"):
        after(at, Content(), deny | {"field": "brunch"})
    for lasting in ("soon", "0s", "90000000d"):
        with pytest.raises(PolicyError, match="duration"):
            after(at, Content(), deny | {"lasting": lasting})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            {"content": {"rules": [{"name": "a", "when": "true", "action": "stop"}]}},
            "value 'stop'",
        ),
        (
            {"content": {"lists": [{"name": "a", "kind": "deny", "field": "card_id", "entry": []}]}},
            r"content.lists\[0\].entry",
        ),
        (
            {"content": {"snoozes": [{"field": "a", "value": "b", "untill": NOW, "until": NOW}]}},
            r"content.snoozes\[0\].untill",
        ),
        ({"edits": [{"edit": "deny"}]}, "Invalid value 'deny'"),
        ({"contents": {}}, "contents"),
    ],
)
def test_what_does_not_belong_is_named(given: dict[str, Any], why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        understood(WHO | given, PolicyChange)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"from_file": True, "content": {}},
        {"from_file": True, "why": " "},
        {"from_file": True, "made_by": ""},
    ],
)
def test_a_change_says_one_thing_and_who_and_why(given: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        understood(WHO | given, PolicyChange).check()


def test_a_change_is_signed_and_can_return_to_the_pipeline_file(at: Setting, pipeline: Pipeline) -> None:
    change = understood(WHO | {"content": {"thresholds": {"decline": 0.9}}}, PolicyChange)
    document = change.made_in(default_document(pipeline), at)
    assert (document.made_by, document.why) == ("ann", "for a test")
    assert (document.rules, document.thresholds) == ([], Thresholds(None, 0.9))
    back = understood(WHO | {"from_file": True}, PolicyChange).made_in(document, at)
    assert content_in(back) == content_in(default_document(pipeline))


def test_the_margin_is_the_keepers_where_a_capacity_is_declared(at: Setting, pipeline: Pipeline) -> None:
    limited = pipeline.model_copy(
        update={"decision": pipeline.decision.model_copy(update={"review_capacity": 10})}
    )
    moved = replace(default_document(pipeline), review_margin=-1.5)
    given = understood(WHO | {"content": {"review_margin": 2.0}}, PolicyChange)
    assert given.made_in(moved, at).review_margin == 2.0
    there = Setting(limited, at.now)
    with pytest.raises(PolicyError, match="the keeper moves it"):
        given.made_in(moved, there)
    assert understood(WHO | {"content": {}}, PolicyChange).made_in(moved, there).review_margin == -1.5


def test_a_document_made_from_an_old_version_is_refused_unless_only_the_margin_moved(
    pipeline: Pipeline,
) -> None:
    base: PolicyDocument = replace(default_document(pipeline), version=3)
    check_base(base, replace(base, version=4, review_margin=1.0, made_by="keeper"))
    with pytest.raises(
        ContractError, match="made from version 3, but 4 is in force by now, by ben: new rule"
    ):
        check_base(base, replace(base, version=4, rules=[], made_by="ben", why="new rule"))
