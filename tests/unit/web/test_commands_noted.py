"""What a command changes stands in the audit trail, with who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from tests.support.web import TOKEN
from training.keeper.api import Api

if TYPE_CHECKING:
    from training.keeper.desk import Desk


@pytest.fixture
def api(desk: Desk) -> TestClient:
    """The keeper's API, asked by somebody with a name that no header could hold as it is."""
    headers = {"authorization": f"Bearer {TOKEN}", "x-sluicegate-who": quote("Zoë")}
    return TestClient(Api(desk).application(TOKEN), headers=headers)


def test_a_command_is_noted_with_who_before_and_after(desk: Desk, api: TestClient) -> None:
    edits = [{"edit": "enlist", "kind": "deny", "field": "card", "value": "c1"}]
    asked: dict[str, Any] = {"edits": edits, "made_by": "ann", "why": "stolen"}
    assert api.post("/policy", json=asked).status_code == 200
    desk.parts.clock.observe(1_767_225_600_000_000)
    run_id = api.post("/train", json={"dry": True}).json()["run_id"]
    train, policy = api.get("/audit").json()
    assert (policy["who"], policy["role"], policy["via"], policy["what"]) == (
        "Zoë",
        "command",
        "command",
        "policy",
    )
    assert (policy["before"], policy["after"]) == (
        {"version": 0},
        {"version": 1, "made_by": "ann", "why": "stolen"},
    )
    assert (train["what"], train["subject"], train["after"]["dry"]) == ("train", run_id, True)
    assert [each["what"] for each in api.get("/audit?most=1").json()] == ["train"]


def test_what_was_refused_changed_nothing_and_is_not_noted(api: TestClient) -> None:
    assert api.post("/models/v1/promote").status_code == 409
    assert api.post("/rollback").status_code == 409
    assert api.post("/policy", json={"made_by": "a", "why": "b"}).status_code == 400
    assert api.get("/audit").json() == []


def test_what_a_command_did_by_itself_is_noted_too_but_not_anything_it_says(api: TestClient) -> None:
    done = {"what": "redrive", "subject": "bad_json", "after": {"sent": 3}}
    assert api.post("/audit", json=done).status_code == 200
    (line,) = api.get("/audit").json()
    assert (line["who"], line["what"], line["after"]) == ("Zoë", "redrive", {"sent": 3})
    assert api.post("/audit", json=done | {"what": "promote"}).status_code == 400


def test_the_trail_is_for_those_who_hold_the_token(desk: Desk) -> None:
    assert TestClient(Api(desk).application(TOKEN)).get("/audit").status_code == 401
