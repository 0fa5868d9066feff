"""The policy as people read and write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from console.policy_file import check_policy, read_policy, written
from console.policy_words import listed, shown
from feature_store.errors import ConfigError, PolicyError
from feature_store.units import from_text
from tests.support.payments import pipeline_of, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

UNTIL = "2026-03-08T12:00:00.000000Z"
DOCUMENT: dict[str, Any] = {
    "pipeline": "payments",
    "version": 4,
    "made_at": "2026-03-01T12:00:00.000000Z",
    "made_by": "ann",
    "why": "a test\nof two lines",
    "rules": [
        {"name": "big", "when": "amount >= 5000", "action": "review", "queue": "large"},
        {"name": "sure", "when": "score > 0.99", "action": "decline", "queue": None},
    ],
    "lists": [
        {
            "name": "stolen",
            "kind": "deny",
            "field": "card_id",
            "entries": [
                {"value": "k1", "until": UNTIL, "note": "police"},
                {"value": "k2", "until": "2026-03-01T11:00:00.000000Z", "note": ""},
                {"value": "k3", "until": None, "note": ""},
            ],
        },
        {
            "name": "many",
            "kind": "watch",
            "field": "merchant_id",
            "entries": [{"value": f"m{i}", "until": None, "note": ""} for i in range(12)],
        },
    ],
    "snoozes": [{"field": "customer_id", "value": "c1", "until": UNTIL, "why": "on a trip"}],
    "thresholds": None,
    "review_margin": -1.25,
}
FOUND: dict[str, Any] = {
    "offset": 7,
    "document": DOCUMENT,
    "differs_from_file": True,
    "review_capacity": 50,
    "control_group": 0.02,
    "now": from_text("2026-03-01T12:00:00Z"),
}


def test_the_policy_is_shown_in_the_order_in_which_it_is_asked() -> None:
    text = shown(FOUND)
    marks = [
        "deny lists",
        "allow lists",
        "the strongest of",
        "rules",
        "score:",
        "watch lists",
        "snoozes",
        "control",
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert "stolen: card_id k1 (until 2026-03-08 12:00, police), k2 (expired), k3" in text
    assert "m9, and 2 more" in text
    assert "big: review when amount >= 5000  (queue large)" in text
    assert "allow lists: approved: none" in text
    assert "least expected cost; reviews from margin -1.25, so that 50 a day fit" in text
    assert "customer_id c1 (until 2026-03-08 12:00, on a trip)" in text
    assert "it differs from the pipeline file" in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"thresholds": {"review": 0.2, "decline": 0.9}},
            "score: review from 0.2, decline from 0.9; reviews",
        ),
        ({"thresholds": {"review": None, "decline": None}}, "score: no threshold, so nothing; reviews from"),
        ({"review_margin": None}, "cost; 50 reviews a day fit without a limit"),
    ],
)
def test_the_score_is_told_by_what_decides(changes: dict[str, Any], told: str) -> None:
    assert told in shown(FOUND | {"document": DOCUMENT | changes})


def test_history_is_a_line_a_version() -> None:
    assert listed([]).startswith("no policy was published")
    assert listed([FOUND, FOUND]).splitlines()[0] == "version 4  2026-03-01 12:00:00  ann: a test"


def test_what_is_shown_as_yaml_can_be_set_again(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(written(FOUND), encoding="utf-8")
    version, content = read_policy(path)
    assert (version, list(content)) == (4, ["rules", "lists", "snoozes"])
    assert content["rules"][1] == {"name": "sure", "when": "score > 0.99", "action": "decline"}
    _, pipeline = pipeline_of(shipped_tree(), tmp_path)
    assert len(check_policy(pipeline, path).lists) == 2


def test_without_a_capacity_the_margin_is_for_people_to_set(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(written(FOUND | {"review_capacity": None}), encoding="utf-8")
    assert read_policy(path)[1]["review_margin"] == -1.25


def test_a_time_without_quotes_is_a_time(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("snoozes: [{field: card_id, value: k1, until: 2026-03-01T12:00:00Z}]", encoding="utf-8")
    _, content = read_policy(path)
    assert content["snoozes"][0]["until"] == "2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "error", "why"),
    [
        ("- a list", ConfigError, "expected a mapping at the top, starting with `rules:`"),
        ("rules: [", ConfigError, "not valid YAML"),
        ("rule: []", PolicyError, "rule"),
        ("version: four", PolicyError, "expected the number"),
        ("rules: [{name: a, when: amont > 1, action: review}]", PolicyError, "amont"),
        ("lists: [{name: a, kind: deny, field: card_id, entries: [{value: 17}]}]", PolicyError, "in quotes"),
        ("lists: [{name: a, kind: deny, field: amount, entries: []}]", PolicyError, "amount"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name(
    text: str, error: type[Exception], why: str, tmp_path: Path
) -> None:
    _, pipeline = pipeline_of(shipped_tree(), tmp_path)
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=why) as found:
        check_policy(pipeline, path)
    assert str(found.value).startswith(f"{path}: ")


def test_the_file_has_no_more_than_people_write() -> None:
    assert set(yaml.safe_load(written(FOUND))) == {"version", "rules", "lists", "snoozes"}
