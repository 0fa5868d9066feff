"""Who is let in: users by their password, the local user by a link, and whom a declared proxy names."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from console.web.proxied import is_local
from console.web.routing import form_fields
from console.web.sessions import Sessions
from console.web.site import ROOT
from console.web.throttle import Throttle
from console.web.visitor import Role, Visitor
from console.who import who_asks
from feature_store.errors import ConfigError

if TYPE_CHECKING:
    from starlette.requests import Request

    from console.users import User, UserChange, Users
    from console.web.proxied import Proxied
    from console.web.site import Site

_SECOND = 1_000_000
_AT_ONCE = 2
"""Passwords that are hashed at the same time: each takes memory, and a core."""
_MOST_WAITING = 20
_LOCAL = "the token"
"""The stamp of whoever came by the link; it is good as long as the keeper runs."""

log = structlog.get_logger()


class Access:
    """Knows who asks, and serves the ways in and out."""

    def __init__(self, site: Site, token: str, users: Users, proxied: Proxied) -> None:
        """``token``: what the local user's link holds."""
        self._site = site
        self._token = token
        self._users = users
        self._proxied = proxied
        self._local = f"{who_asks()} (local)"  # no user can have such a name
        spec = site.desk.parts.pipeline.console
        self._sessions = Sessions(self._stamp_of, spec.session_idle / _SECOND, spec.session_length / _SECOND)
        self._throttle = Throttle()
        self._hashing = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._cookie = f"sluicegate-{site.desk.parts.pipeline.name}"  # cookies do not tell ports apart
        self._form_cookie = f"{self._cookie}-login"

    def visitor(self, request: Request) -> Visitor | None:
        """The person that a request comes from."""
        if (named := self._proxied.visitor(request)) is not None:
            return named
        refreshed = "x-part" in request.headers
        return self._sessions.find(request.cookies.get(self._cookie, ""), used=not refreshed)

    def routes(self) -> list[Route]:
        """The ways in and out."""
        return [
            Route(f"{ROOT}/login", self._form, methods=["GET"]),
            Route(f"{ROOT}/login", self._login, methods=["POST"]),
            Route(f"{ROOT}/enter", self._enter, methods=["GET"]),
            Route(f"{ROOT}/logout", self._logout, methods=["POST"]),
        ]

    async def _form(self, request: Request) -> Response:
        then = _inside(request.query_params.get("next", ""))
        if self.visitor(request) is not None:
            return RedirectResponse(then, status_code=303)
        return self._asked(request, then)

    async def _login(self, request: Request) -> Response:
        fields = await form_fields(request) or {}
        then, name = _inside(fields.get("next", "")), fields.get("name", "").strip()
        known = request.cookies.get(self._form_cookie, "")
        if not known or not hmac.compare_digest(fields.get("csrf", "").encode(), known.encode()):
            return self._asked(request, then, 403, "The form is too old. Try again.", name)
        address = self._proxied.address(request)
        wait = self._throttle.begin(name, address)
        if wait > 0:
            log.warning("console_login_throttled", name=name[:64], address=address)
            words = f"Too many tries. Wait {wait:.0f} s, then try again."
            return self._asked(request, then, 429, words, name, wait)
        if self._waiting >= _MOST_WAITING:
            return self._asked(request, then, 503, "Too many people log in right now. Try again.", name)
        user = await self._checked(name, fields.get("password", ""))
        if user is None:
            log.warning("console_login_refused", name=name[:64], address=address)
            return self._asked(request, then, 401, "Wrong name or password.", name)
        self._throttle.passed(name, address)
        log.info("console_login", name=name, address=address)
        return self._begun(request, user.name, Role(user.role), user.stamp, then)

    async def _checked(self, name: str, password: str) -> User | None:
        self._waiting += 1
        try:
            async with self._hashing:
                return await run_in_threadpool(self._users.checked, name, password)
        except ConfigError as error:
            log.error("console_users_unreadable", why=str(error))  # noqa: TRY400 - the words say it all
            return None
        finally:
            self._waiting -= 1

    async def _enter(self, request: Request) -> Response:
        given = request.query_params.get("key", "")
        if not is_local(request) or not hmac.compare_digest(given.encode(), self._token.encode()):
            return self._asked(request, f"{ROOT}/", 403, "This link is not good here, or not any more.")
        return self._begun(request, self._local, Role.OPERATOR, _LOCAL, f"{ROOT}/")

    async def _logout(self, request: Request) -> Response:
        fields, visitor = await form_fields(request) or {}, self.visitor(request)
        if visitor is None or not hmac.compare_digest(fields.get("csrf", "").encode(), visitor.csrf.encode()):
            return RedirectResponse(f"{ROOT}/", status_code=303)
        self._sessions.end(request.cookies.get(self._cookie, ""))
        response = RedirectResponse(f"{ROOT}/login", status_code=303)
        response.delete_cookie(self._cookie, path=ROOT)
        return response

    def _begun(self, request: Request, name: str, role: Role, stamp: str, then: str) -> Response:
        self._sessions.end(request.cookies.get(self._cookie, ""))
        key = self._sessions.begin(name, role, stamp)
        response = RedirectResponse(then, status_code=303)
        self._set(request, response, self._cookie, key)
        return response

    def _asked(
        self, request: Request, then: str, status: int = 200, why: str = "", name: str = "", wait: float = 0
    ) -> Response:
        """The form to log in by; its ``csrf`` is also in a cookie, which no other site can set or read."""
        csrf = request.cookies.get(self._form_cookie) or secrets.token_urlsafe(32)
        content = {
            "csrf": csrf,
            "next": then,
            "why": why,
            "name": name,
            "has_users": self._has_users(),
            "named": self._proxied.name(request),
        }
        response = HTMLResponse(self._site.html("login.html", request, None, **content), status)
        self._set(request, response, self._form_cookie, csrf)
        if wait > 0:
            response.headers["retry-after"] = f"{wait:.0f}"
        return response

    def _set(self, request: Request, response: Response, name: str, value: str) -> None:
        secure = self._proxied.is_https(request)
        response.set_cookie(name, value, httponly=True, samesite="strict", secure=secure, path=ROOT)

    def _has_users(self) -> bool:
        try:
            return bool(self._users.all())
        except ConfigError:
            return True

    def _stamp_of(self, name: str) -> str | None:
        if name == self._local:
            return _LOCAL
        try:
            user = self._users.find(name)
        except ConfigError as error:
            log.error("console_users_unreadable", why=str(error))  # noqa: TRY400 - the words say it all
            return None
        return user.stamp if user else None

    def note_changes(self) -> None:
        """Write what commands did to users into the audit trail."""

        def note(change: UserChange) -> None:
            before = {"role": change.before} if change.before else None
            after = {"role": change.after, "at": change.at}
            self._site.desk.audit.note(
                change.who, "command", "command", change.what, change.name, before, after
            )

        self._users.take_unnoted(note)


def _inside(path: str) -> str:
    """``path`` if it is a page of the console, else the first page."""
    plain = unquote(path)
    inside = plain.startswith(f"{ROOT}/") and not any(each in plain for each in ("\\", "//", "\n", "\r"))
    return path if inside and not plain.startswith(f"{ROOT}/log") else f"{ROOT}/"
