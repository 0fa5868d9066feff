"""What holds for every page and form, whoever wrote it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

import console.web
from console.web import console_pages
from console.web.site import Site
from console.web.visitor import Role
from tests.support.web import ORIGIN, TOKEN, Person, client_of, let_in

if TYPE_CHECKING:
    from training.keeper.desk import Desk

TEMPLATES = sorted((Path(console.web.__file__).parent / "templates").glob("*.html"))
OPEN = {"/", "/console", "/console/login", "/console/enter"}
"""What nobody needs to be let in for."""


def paths(desk: Desk, method: str) -> list[str]:
    """Every address of the console, with something in the place of each parameter."""
    pages = console_pages(desk, TOKEN)
    assert isinstance(pages, Starlette)
    found = [
        route.path for route in pages.routes if isinstance(route, Route) and method in (route.methods or ())
    ]
    return [re.sub(r"\{[^}]*\}", "1", path) for path in found]


def test_nothing_is_shown_to_nobody(desk: Desk) -> None:
    client = client_of(desk)
    shown = [path for path in paths(desk, "GET") if path not in OPEN]
    assert len(shown) > len(OPEN)
    for path in shown:
        found = client.get(path, follow_redirects=False)
        assert found.status_code in {303, 401}, path
        assert found.headers.get("location", "/console/login").startswith("/console/login"), path


def test_nothing_is_done_for_nobody_nor_without_the_forms_own_token_nor_for_another_site(
    desk: Desk, operator: Person
) -> None:
    before, client = desk.audit.newest(), client_of(desk)
    forms = [path for path in paths(desk, "POST") if path != "/console/login"]
    assert len(forms) > len(OPEN)
    csrf = operator.csrf()
    for path in forms:
        found = client.post(path, data={"csrf": csrf}, headers={"origin": ORIGIN}, follow_redirects=False)
        assert (found.status_code, found.headers["location"]) in {
            (303, "/console/login"),
            (303, "/console/"),
        }, path
        cross = {"origin": "https://evil.example"}
        assert operator.client.post(path, data={"csrf": csrf}, headers=cross).status_code == 403, path
        if path != "/console/logout":
            forged = operator.client.post(path, data={"csrf": "x"}, headers={"origin": ORIGIN})
            assert forged.status_code == 403, path
    assert desk.audit.newest() == before


def test_a_viewer_changes_nothing(desk: Desk) -> None:
    viewer = let_in(desk, Role.VIEWER)
    csrf = viewer.csrf("/")
    for path in paths(desk, "POST"):
        if path not in {"/console/login", "/console/logout"}:
            found = viewer.client.post(path, data={"csrf": csrf}, headers={"origin": ORIGIN})
            assert found.status_code == 403, path
            assert "This needs the role" in found.text, path


def test_every_answer_carries_what_keeps_browsers_safe(desk: Desk, operator: Person) -> None:
    for path in paths(desk, "GET"):
        headers = operator.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["cache-control"] == "no-store", path


def test_an_address_that_is_no_pages_says_so_to_those_who_are_let_in(desk: Desk, operator: Person) -> None:
    found = operator.get("/<script>alert(1)</script>")
    assert found.status_code == 404
    assert "There is no such page." in found.text
    assert "<script>alert" not in found.text
    assert client_of(desk).get("/console/nothing").url.path == "/console/login"


def test_what_nobody_foresaw_is_a_page_that_tells_nothing_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_site: Site, *_: object, **__: object) -> str:
        raise ZeroDivisionError("secret of the inside")

    person = let_in(desk)
    whole = Site.html
    monkeypatch.setattr(
        Site,
        "html",
        lambda site, page, *a, **k: (whole if page == "problem.html" else broken)(site, page, *a, **k),
    )
    browser = TestClient(
        person.client.app, base_url=ORIGIN, client=("127.0.0.1", 50_000), raise_server_exceptions=False
    )
    browser.cookies.update(person.client.cookies)
    found = browser.get("/console/audit")
    assert found.status_code == 500
    assert "The keeper&#39;s log says what." in found.text
    assert "secret of the inside" not in found.text


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_escape_everything_and_bring_no_script_of_their_own(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape\s+false", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<[^>]*\son[a-z]+\s*=", text)
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text)
