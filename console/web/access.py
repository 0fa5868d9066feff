"""Who is let in: by the link that the keeper's user was given; a session is a cookie."""

from __future__ import annotations

import hmac
import secrets
import threading
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from console.web.site import ROOT
from console.web.visitor import Role, Visitor

if TYPE_CHECKING:
    from starlette.requests import Request

    from console.web.routing import Routes
    from console.web.site import Site

COOKIE = "sluicegate"


class Access:
    """Knows the sessions; they end with the keeper."""

    def __init__(self, site: Site, token: str) -> None:
        self._site = site
        self._token = token
        self._sessions: dict[str, Visitor] = {}
        self._one_at_a_time = threading.Lock()

    def visitor(self, request: Request) -> Visitor | None:
        """The person of the request's session."""
        with self._one_at_a_time:
            return self._sessions.get(request.cookies.get(COOKIE, ""))

    def routes(self, to: Routes) -> list[Route]:
        """The way in."""
        del to
        return [
            Route(f"{ROOT}/login", self._login, methods=["GET"]),
            Route(f"{ROOT}/enter", self._enter, methods=["GET"]),
        ]

    async def _login(self, request: Request) -> Response:
        return HTMLResponse(self._site.html("login.html", request, None))

    async def _enter(self, request: Request) -> Response:
        given = request.query_params.get("key", "")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return RedirectResponse(f"{ROOT}/login", status_code=303)
        session = secrets.token_urlsafe(32)
        with self._one_at_a_time:
            self._sessions[session] = Visitor("local", Role.OPERATOR, secrets.token_urlsafe(32))
        response = RedirectResponse(f"{ROOT}/", status_code=303)
        response.set_cookie(COOKIE, session, httponly=True, samesite="strict", path=ROOT)
        return response
