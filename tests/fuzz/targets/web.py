"""What comes over HTTP, from who is let in: an answer, and never an error that nobody foresaw."""

from __future__ import annotations

import atexit
import os
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.testclient import TestClient

from streams.broker import running_broker
from tests.fuzz.small import SMALL
from tests.fuzz.target import MARK, Ready, Target, pieces
from tests.support.payments import ENVIRONMENT
from tests.support.web import ORIGIN, TOKEN, a_desk, let_in
from tests.support.web_events import Stored
from training.keeper.api import Api

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.applications import Starlette

    from training.keeper.desk import Desk

_BROKEN = 500
_OURS = 503
"""What is away: the monitor, Kafka."""


def _desk(folder: Path) -> Desk:
    stack = ExitStack()
    atexit.register(stack.close)
    broker = stack.enter_context(running_broker("embedded", state_dir=folder))
    config = folder / "small.yaml"
    config.write_text(SMALL, encoding="utf-8")
    os.environ.update(ENVIRONMENT)
    return stack.enter_context(a_desk(config, broker.bootstrap, folder))


def _paths(application: Starlette) -> list[str]:
    found = {getattr(route, "path", "/") for route in application.routes}
    return sorted(re.sub(r"\{[^}]*\}", "1", path) for path in found)


def _asking(client: TestClient, headers: dict[str, str], csrf: str = "") -> Callable[[bytes], None]:
    """A request in pieces: GET or POST, path, query, body."""

    def check(data: bytes) -> None:
        method, path, query, body = pieces(data, 4)
        where = "/" + quote(path, safe=b"/%").lstrip("/")  # of two, this client would make a host
        asked = quote(query, safe=b"=&%+")
        if method == b"GET":
            found = client.get(f"{where}?{asked}", headers=headers, follow_redirects=False)
        else:
            more = b"&csrf=" + csrf.encode() if csrf else b""
            kind = "application/x-www-form-urlencoded" if csrf else "application/json"
            sent = headers | {"content-type": kind}
            found = client.post(f"{where}?{asked}", content=body + more, headers=sent, follow_redirects=False)
        assert found.status_code < _BROKEN or found.status_code == _OURS

    return check


def _console(folder: Path) -> Ready:
    desk = _desk(folder)
    Stored(desk).add(20, action="review")
    person = let_in(desk)
    paths = _paths(person.client.app)  # type: ignore[arg-type]
    seeds = [MARK.join([b"GET", path.encode(), b"page=2&since=2026-01-05", b""]) for path in paths]
    seeds += [
        MARK.join([b"POST", path.encode(), b"", b"why=x&name=a&value=1"])
        for path in paths
        if "login" not in path
    ]
    words = [
        "page=",
        "since=",
        "until=",
        "before=",
        "%00",
        "%ff",
        "99999999999999999999",
        "-1",
        "2026-13-99",
        "e1",
    ]
    check = _asking(person.client, {"origin": ORIGIN}, person.csrf())
    return Ready(check, seeds, [MARK, *(word.encode() for word in words)])


def _api(folder: Path) -> Ready:
    desk = _desk(folder)
    Stored(desk).add(20, action="review")
    application = Api(desk).application(TOKEN)
    client = TestClient(application, raise_server_exceptions=True)
    bodies = [
        b"{}",
        b'{"canary":0.1}',
        b'{"folder":"a"}',
        b'{"what":"redrive","subject":"x"}',
        b'{"rules":[]}',
        b"null",
    ]
    paths = [path for path in _paths(application) if path != "/train"]
    seeds = [MARK.join([b"GET", path.encode(), b"id=e1&most=3", b""]) for path in paths]
    seeds += [MARK.join([b"POST", path.encode(), b"", body]) for path in paths for body in bodies]
    words = ["²", "99999999999999999999", "..", "%2e%2e", "[" * 300, '"version":1', '"canary":1e400', "\x00"]
    check = _asking(client, {"authorization": f"Bearer {TOKEN}"})
    return Ready(check, seeds, [MARK, *(word.encode() for word in words)])


TARGETS = [
    Target("console", "requests to the console, of an operator", _console, 1_024),
    Target("keeper-api", "requests to the keeper's API, with its token", _api, 1_024),
]
