"""A reverse proxy names who asks: believed from its own addresses, and from nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from feature_store.declaration.console import ConsoleSpec
from tests.support.web import Person, a_desk, client_of
from tests.unit.web.conftest import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

    from streams.broker import Broker
    from training.keeper.desk import Desk

PROXY = "10.0.0.7"
NAME = "gate.example"
ORIGIN = f"https://{NAME}"
DECLARED = """
console:
  hosts: [gate.example]
  proxy:
    from: [10.0.0.0/28]
    user_header: X-User
    role_header: X-Groups
    roles: {fraud-desk: analyst, on-call: operator}
"""


@pytest.fixture
def desk(tmp_path: Path, unique: str, embedded_broker: Broker) -> Iterator[Desk]:
    """The desk of a keeper behind a proxy."""
    config = tmp_path / "pipeline.yaml"
    config.write_text(PIPELINE.format(name=unique) + DECLARED, encoding="utf-8")
    with a_desk(config, embedded_broker.bootstrap, tmp_path) as found:
        yield found


def asked(desk: Desk, address: str = PROXY, host: str = NAME, **headers: Any) -> tuple[int, str]:
    """Status and page that somebody gets who asks for the audit trail with these headers."""
    client = client_of(desk, address, f"http://{host}")
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    found = client.get("/console/audit", headers=named)
    return found.status_code, found.url.path


def test_the_proxy_names_who_asks_and_groups_give_the_role(desk: Desk) -> None:
    assert asked(desk, x_user="ann", x_groups="cooks, on-call,fraud-desk") == (200, "/console/audit")
    assert asked(desk, x_user="ann", x_groups="fraud-desk") == (403, "/console/audit")
    assert asked(desk, x_user="ann", x_groups="cooks") == (200, "/console/login")
    assert asked(desk, x_user="ann") == (200, "/console/login")
    assert asked(desk) == (200, "/console/login")


@pytest.mark.parametrize("address", ["10.0.0.16", "127.0.0.1", "::1", "203.0.113.9", "testclient"])
def test_headers_from_elsewhere_are_not_believed(desk: Desk, address: str) -> None:
    assert asked(desk, address, x_user="ann", x_groups="on-call") == (200, "/console/login")
    forged = {"x_forwarded_for": PROXY, "forwarded": f"for={PROXY}", "x_real_ip": PROXY}
    assert asked(desk, address, x_user="ann", x_groups="on-call", **forged) == (200, "/console/login")


def test_the_proxy_as_ipv6_writes_it_is_the_same_proxy(desk: Desk) -> None:
    assert asked(desk, f"::ffff:{PROXY}", x_user="ann", x_groups="on-call")[1] == "/console/audit"


def test_a_second_name_or_list_of_groups_is_nobodys(desk: Desk) -> None:
    client = client_of(desk, PROXY, f"http://{NAME}")
    ours = [("x-user", "ann"), ("x-groups", "fraud-desk")]
    for theirs in (("X-User", "bob"), ("X-Groups", "on-call")):
        for headers in ([theirs, *ours], [*ours, theirs]):
            assert client.get("/console/audit", headers=headers).url.path == "/console/login"


def test_a_page_whose_name_leads_here_cannot_write_the_header_itself(desk: Desk) -> None:
    known = {"x_user": "ann", "x_groups": "on-call"}
    assert asked(desk, host="evil.example", **known)[0] == 421
    assert asked(desk, host="evil.example", x_forwarded_host=NAME, **known)[0] == 421
    assert asked(desk, x_forwarded_host="evil.example", **known)[0] == 421


def test_a_form_is_taken_over_tls_with_its_token_alone(desk: Desk) -> None:
    client = client_of(desk, PROXY, f"http://{NAME}")
    client.headers.update({"x-user": "ann", "x-groups": "on-call", "x-forwarded-proto": "https"})
    ann = Person(client)
    csrf = ann.csrf()
    assert sent(client, ORIGIN, csrf) == (303, "/console/login")
    assert sent(client, "https://evil.example", csrf)[0] == 403
    assert sent(client, ORIGIN, "guessed") == (303, "/console/")


def sent(client: TestClient, origin: str, csrf: str) -> tuple[int, str]:
    """What becomes of a form that logs out."""
    found = client.post(
        "/console/logout", headers={"origin": origin}, data={"csrf": csrf}, follow_redirects=False
    )
    return found.status_code, found.headers.get("location", "")


def test_cookies_are_for_tls_alone_where_the_browser_came_over_it(desk: Desk) -> None:
    client = client_of(desk, PROXY, f"http://{NAME}")
    found = client.get("/console/login", headers={"x-forwarded-proto": "https"})
    assert "secure" in found.headers["set-cookie"].lower()
    elsewhere = client_of(desk, "203.0.113.9", f"http://{NAME}")
    found = elsewhere.get("/console/login", headers={"x-forwarded-proto": "https"})
    assert "secure" not in found.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ({"from": ["10.0.0.300"], "user_header": "X-User", "default_role": "viewer"}, "not an address"),
        ({"from": [], "user_header": "X-User", "default_role": "viewer"}, "at least 1 item"),
        ({"from": ["10.0.0.7"], "user_header": "X-User"}, "nobody would be let in"),
        ({"from": ["10.0.0.7"], "default_role": "viewer"}, "user_header: missing"),
        (
            {"from": ["10.0.0.7"], "user_header": "Cookie", "default_role": "viewer"},
            "not a header that names",
        ),
        ({"from": ["10.0.0.7"], "user_header": "X-User", "roles": {"a": "root"}}, "viewer"),
    ],
)
def test_a_proxy_that_cannot_be_right_is_refused(proxy: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ConsoleSpec.model_validate({"hosts": ["gate.example"], "proxy": proxy})


def test_a_proxy_that_names_people_needs_to_know_the_names_of_the_console() -> None:
    proxy = {"from": ["127.0.0.1"], "user_header": "X-User", "default_role": "viewer"}
    with pytest.raises(ValidationError, match="hosts: missing"):
        ConsoleSpec.model_validate({"proxy": proxy})
