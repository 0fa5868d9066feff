"""Who is let in, and what keeps others out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.users import USERS, Users
from console.web.sessions import Sessions
from console.web.throttle import Throttle
from console.web.visitor import Role
from tests.support.web import (
    CHEAP,
    ORIGIN,
    PASSWORD,
    TOKEN,
    Person,
    client_of,
    csrf_of,
    let_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    from training.keeper.desk import Desk


@pytest.fixture
def users(desk: Desk) -> Users:
    """The users of the desk's state folder: ann, an analyst."""
    found = Users(desk.parts.settings.state_dir, CHEAP)
    found.add("ann", "analyst", PASSWORD, "a test")
    return found


def log_in(client: TestClient, name: str, password: str = PASSWORD, **fields: str) -> int:
    return Person(client).post("/login", csrf_of(client), name=name, password=password, **fields).status_code


def test_nobody_sees_or_changes_anything_without_logging_in(desk: Desk) -> None:
    client = client_of(desk)
    for path in ("/", "/audit", "/models"):
        found = client.get(f"/console{path}", follow_redirects=False)
        assert (found.status_code, found.headers["location"][:14]) == (303, "/console/login")
    found = client.post("/console/rollback", data={"csrf": "guessed"}, follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, "/console/login")
    assert client.get("/console/static/style.css").status_code == 200


def test_the_link_lets_a_browser_of_this_machine_in_and_no_other(desk: Desk) -> None:
    link = f"/console/enter?key={TOKEN}"
    assert client_of(desk).get(link).url.path == "/console/"
    assert client_of(desk).get("/console/enter?key=guessed").status_code == 403
    assert client_of(desk, address="10.0.0.9").get(link).status_code == 403
    forwarded = client_of(desk).get(link, headers={"x-forwarded-for": "203.0.113.9"})
    assert forwarded.status_code == 403


def test_a_user_logs_in_sees_what_their_role_may_and_logs_out(desk: Desk, users: Users) -> None:
    client = client_of(desk)
    ann = Person(client)
    asked = ann.get("/audit?who=x")
    assert (asked.url.path, asked.url.params["next"]) == ("/console/login", "/console/audit?who=x")
    then = ann.post("/login", csrf_of(client), name="ann", password=PASSWORD, next="/console/audit?who=x")
    assert then.headers["location"] == "/console/audit?who=x"
    cookie = then.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/console"))
    assert "secure" not in cookie  # it was asked over http; test_proxied has it over https
    assert ann.get("/").status_code == 200
    assert ann.get("/audit").status_code == 403
    assert ann.post("/logout", "guessed").headers["location"] == "/console/"
    assert ann.get("/").url.path == "/console/"
    assert ann.post("/logout").headers["location"] == "/console/login"
    assert ann.get("/").url.path == "/console/login"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/console/", "//evil.example/console/", "/console//evil.example", "/x"]
)
def test_after_logging_in_nobody_is_sent_elsewhere(desk: Desk, users: Users, elsewhere: str) -> None:
    client = client_of(desk)
    sent = Person(client).post("/login", csrf_of(client), name="ann", password=PASSWORD, next=elsewhere)
    assert sent.headers["location"] == "/console/"


def test_wrong_passwords_are_refused_alike_and_made_slow(desk: Desk, users: Users) -> None:
    client = client_of(desk)
    assert log_in(client, "ann", "wrong") == log_in(client, "nobody", PASSWORD) == 401
    assert {log_in(client, "ann", "wrong") for _ in range(4)} == {401}
    assert log_in(client, "ann", PASSWORD) == 429
    assert log_in(client_of(desk, address="::1"), "ann", PASSWORD) == 303  # another keeper: counts are held


def test_the_form_to_log_in_must_be_ours(desk: Desk, users: Users) -> None:
    client = client_of(desk)
    assert Person(client).post("/login", "guessed", name="ann", password=PASSWORD).status_code == 403
    token = csrf_of(client)
    assert Person(client_of(desk)).post("/login", token, name="ann", password=PASSWORD).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site", "origin": ORIGIN},
    ],
)
def test_forms_of_other_sites_change_nothing(desk: Desk, headers: dict[str, str]) -> None:
    operator = let_in(desk)
    data = {"csrf": operator.csrf()}
    assert operator.client.post("/console/logout", data=data, headers=headers).status_code == 403
    assert operator.get("/").url.path == "/console/"


def test_the_console_goes_by_its_own_names_alone(desk: Desk) -> None:
    client = client_of(desk)
    for name in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8321"):
        assert client.get("/console/login", headers={"host": name}).status_code == 421
    for name in ("localhost:8321", "[::1]:8321"):
        assert client.get("/console/login", headers={"host": name}).status_code == 200


def test_what_a_command_changes_about_a_user_ends_their_session_and_is_noted(
    desk: Desk, users: Users, operator: Person
) -> None:
    client = client_of(desk)
    ann = Person(client)
    changes: list[Callable[[], None]] = [
        lambda: users.set_role("ann", "viewer", "bob"),
        lambda: users.set_password("ann", PASSWORD, "bob"),
        lambda: users.remove("ann", "bob"),
    ]
    for change in changes:
        assert log_in(client, "ann") == 303
        assert ann.get("/").url.path == "/console/"
        change()
        assert ann.get("/").url.path == "/console/login"
    noted = [(each.who, each.what, each.subject) for each in desk.audit.newest()]
    assert noted[:4] == [
        ("bob", "user_remove", "ann"),
        ("bob", "user_password", "ann"),
        ("bob", "user_role", "ann"),
        ("a test", "user_add", "operator"),
    ]
    assert len(desk.audit.newest()) == len(noted)  # once each


def test_a_file_of_users_that_is_broken_lets_nobody_in(desk: Desk, users: Users) -> None:
    client = client_of(desk)
    assert log_in(client, "ann") == 303
    (desk.parts.settings.state_dir / USERS).write_text("{", encoding="utf-8")
    assert Person(client).get("/").url.path == "/console/login"
    assert log_in(client, "ann") == 401


def test_sessions_end_when_they_are_not_used_and_in_any_case() -> None:
    now = [0.0]
    sessions = Sessions(lambda _: "a", idle_s=60, length_s=200, now=lambda: now[0])
    key = sessions.begin("ann", Role.VIEWER, "a")
    for at in (50.0, 100.0, 150.0, 199.0):
        now[0] = at
        assert sessions.find(key) is not None
    now[0] = 200.0
    assert sessions.find(key) is None
    key = sessions.begin("ann", Role.VIEWER, "a")
    for at in (230.0, 259.0):
        now[0] = at
        assert sessions.find(key, used=False) is not None  # a page that looks by itself keeps nobody in
    now[0] = 260.0
    assert sessions.find(key) is None


def test_a_guesser_waits_longer_each_time_and_others_do_not() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    assert [throttle.begin("ann", "1.1.1.1") for _ in range(5)] == [0.0] * 5
    assert throttle.begin("ann", "2.2.2.2") == 1.0
    now[0] = 1.0
    assert throttle.begin("ann", "2.2.2.2") == 0.0
    assert throttle.begin("ann", "2.2.2.2") == 2.0
    assert throttle.begin("bob", "2.2.2.2") == 0.0
    now[0] = 3.0
    assert throttle.begin("ann", "2.2.2.2") == 0.0
    throttle.passed("ann", "2.2.2.2")
    assert throttle.begin("ann", "2.2.2.2") == 0.0
    assert throttle.begin("n" * 60_000, "4.4.4.4") == 0.0
    assert max(len(what) for _, what in throttle._tries) <= 100
    tries = [throttle.begin(f"n{number}", "3.3.3.3") for number in range(30)]
    assert tries.index(1.0) == 20
