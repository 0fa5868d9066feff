"""A console to click on without a browser: a keeper's desk on a store of its own, and people in roles."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

from console.passwords import Cost
from console.users import Users
from console.web import console_pages
from console.web.visitor import Role
from feature_store.declaration.load import load_pipeline
from feature_store.units import to_text
from streams.kafka import ensure_topics, pipeline_topics
from tests.support.keeper_parts import close_parts, open_parts
from training.keeper.audit import Audit
from training.keeper.desk import Desk
from training.keeper.policies import Policies
from training.keeper.runs import Runs
from training.keeper.trainings import Trainings
from training.publish_policy import PolicyPublisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpx2 import Response

TOKEN = "the token of these tests"  # noqa: S105 - lets nobody into anything
PASSWORD = "correct horse battery"  # noqa: S105 - nor does this
CHEAP = Cost(log2_n=4, r=1, p=1)
SEE_OTHER = 303
ORIGIN = "http://127.0.0.1:8321"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@contextmanager
def a_desk(config: Path, bootstrap: str, state_dir: Path) -> Iterator[Desk]:
    """The desk of a keeper that has just started on an empty store; no thread of it runs."""
    pipeline = load_pipeline(config)
    ensure_topics(bootstrap, pipeline_topics(pipeline))
    parts = open_parts(config, pipeline, bootstrap, state_dir)
    clock = parts.clock
    policies = Policies(parts, PolicyPublisher(bootstrap, pipeline, lambda: to_text(clock.now())))
    runs = Runs(parts.store)
    try:
        yield Desk(parts, policies, runs, Trainings(parts, runs), lambda: None, Audit(parts.store, clock))
    finally:
        close_parts(parts)


class Person:
    """Somebody at a browser; ``get`` follows redirects, ``post`` does not."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str, **more: str) -> Response:
        """The page at ``path`` below ``/console``, with headers ``more``."""
        return self.client.get(f"/console{path}", headers=more)

    def post(self, path: str, csrf: str | None = None, **fields: str) -> Response:
        """Send a form, with the ``csrf`` of a page that was just loaded unless another is given."""
        if csrf is None:
            csrf = self.csrf()
        sent = {**fields, "csrf": csrf}
        return self.client.post(
            f"/console{path}", data=sent, headers={"origin": ORIGIN}, follow_redirects=False
        )

    def csrf(self, path: str = "/audit") -> str:
        """What this person's forms carry; any page has it, even one that says that it is not for them."""
        found = _CSRF.search(self.get(path).text)
        assert found is not None, "nobody is logged in"
        return found[1]


def client_of(desk: Desk, address: str = "127.0.0.1", origin: str = ORIGIN) -> TestClient:
    """A browser at ``address`` that knows nothing yet."""
    return TestClient(console_pages(desk, TOKEN), base_url=origin, client=(address, 50_000))


def let_in(desk: Desk, role: Role = Role.OPERATOR) -> Person:
    """A person of ``role`` who is logged in; their name is their role."""
    users = Users(desk.parts.settings.state_dir, CHEAP)
    if role.value not in users.all():
        users.add(role.value, role.value, PASSWORD, "a test")
    client = client_of(desk)
    client.get("/console/login")
    response = Person(client).post("/login", csrf_of(client), name=role.value, password=PASSWORD)
    assert response.status_code == SEE_OTHER, response.text
    return Person(client)


def csrf_of(client: TestClient) -> str:
    """What the form to log in by carries."""
    found = _CSRF.search(client.get("/console/login").text)
    assert found is not None
    return found[1]
