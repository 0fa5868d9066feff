"""The policy as its users change it: by command, while everything runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.up import Up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.acceptance

TRIES = 20


@pytest.fixture
def up(tmp_path: Path, jar_cache: Path) -> Iterator[Up]:
    with Up(tmp_path, jar_cache, "--broker", "embedded", "--scorers", "1") as started:
        started.wait_for("Ctrl-C stops everything")
        yield started


def test_what_is_set_live_stands_in_later_decisions_until_it_is_taken_back(up: Up) -> None:
    assert "amount_limit: review when amount >= 5000" in up.ask("policy", "show")
    newest = decided(up, 1, lambda _: True)
    assert "everything" not in newest["rules"]

    up.ask("policy", "rule", "everything", "amount > 0", "review", "--why", "a test", "--by", "ann")
    newest = decided(up, 100, lambda each: "everything" in each["rules"])
    assert newest["policy_action"] == "review"

    country = newest["event"]["country"]
    up.ask("policy", "deny", "country", country, "--for", "1h", "--why", "a second test")
    newest = decided(
        up, 200, lambda each: each["event"]["country"] == country and each["action"] == "decline"
    )
    assert newest["rules"] == ["everything", "list:deny_country"]
    assert newest["propensity"] == 0.0

    file = up.folder / "policy.yaml"
    file.write_text(up.ask("policy", "show", "--yaml"))
    up.ask("policy", "unrule", "everything", "--why", "seen enough")
    decided(up, 300, lambda each: "everything" not in each["rules"])

    refused = up.ask("policy", "set", "policy.yaml", "--why", "too late", expected=1)
    assert "made from version 2, but 3 is in force by now" in refused
    history = json.loads(up.ask("policy", "history", "--json"))
    assert [each["document"]["why"] for each in history] == ["a test", "a second test", "seen enough"]
    assert history[0]["document"]["made_by"] == "ann"


def decided(up: Up, seed: int, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Send events, differently each time, until the decision about one of them is as wanted."""
    for number in range(seed, seed + TRIES):
        up.ask("simulate", "--limit", "20", "--seed", str(number), "--json")
        lines = up.ask("tail", "--count", "20", "--json").splitlines()
        for decision in map(json.loads, reversed(lines)):
            if wanted(decision):
                return dict(decision)
    raise AssertionError(f"no decision was as wanted in {TRIES} tries")
