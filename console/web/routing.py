"""Routes of pages and of what their forms do: who may, what the browser must prove, what errors become."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from console.web.site import ROOT, Site
from console.web.visitor import Role, Visitor
from feature_store.errors import SluicegateError
from streams.kafka import KafkaException

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    Letting = Callable[[Request], Visitor | None]
    """Who asks; None for nobody that is known."""
    Shows = Callable[[Site, Request, Visitor], dict[str, Any]]
    """What the template of a page is given. Raises LookupError for what is not there."""
    Gives = Callable[[Site, Request, Visitor], str]
    """A whole page. Raises LookupError for what is not there."""
    Does = Callable[[Site, Visitor, dict[str, str], dict[str, str]], str]
    """Does what a form asks for, given path parameters and fields; returns where to go then, below ROOT."""

_log = structlog.get_logger()
_MOST_BYTES = 65_536
_FORESEEN = (LookupError, ValueError, SluicegateError, KafkaException)


class Routes:
    """Makes the routes of one site; ``letting`` says who asks."""

    def __init__(self, site: Site, letting: Letting) -> None:
        self.site = site
        self._letting = letting

    def page(self, path: str, template: str, shows: Shows, role: Role = Role.VIEWER) -> Route:
        """A page at ``ROOT + path`` for those whose role includes ``role``."""

        async def answer(request: Request) -> Response:
            visitor = self._letting(request)
            if visitor is None:
                return _to_login(request)
            if not visitor.may(role):
                return self._beyond(request, visitor, role)
            return await run_in_threadpool(self._shown, request, visitor, template, shows)

        return Route(ROOT + path, answer, methods=["GET"])

    def data(self, path: str, shows: Shows, role: Role = Role.VIEWER) -> Route:
        """JSON at ``ROOT + path``, for the script of a page."""

        async def answer(request: Request) -> Response:
            visitor = self._letting(request)
            if visitor is None or not visitor.may(role):
                return _not_for(visitor)
            return await run_in_threadpool(self._told, request, visitor, shows)

        return Route(ROOT + path, answer, methods=["GET"])

    def document(self, path: str, gives: Gives, headers: dict[str, str], role: Role = Role.VIEWER) -> Route:
        """A whole HTML page that is not ours at ``ROOT + path``, under ``headers`` of its own."""

        async def answer(request: Request) -> Response:
            visitor = self._letting(request)
            if visitor is None or not visitor.may(role):
                return _not_for(visitor)
            return await run_in_threadpool(self._given, request, visitor, gives, headers)

        return Route(ROOT + path, answer, methods=["GET"])

    def form(self, path: str, does: Does, role: Role) -> Route:
        """What a form at ``ROOT + path`` does; it must carry the visitor's ``csrf``."""

        async def answer(request: Request) -> Response:
            visitor = self._letting(request)
            if visitor is None:
                return _to_login(request)
            fields = await form_fields(request)
            if fields is None:
                return self._problem(request, visitor, 413, "The form is too large.")
            if not hmac.compare_digest(fields.pop("csrf", "").encode(), visitor.csrf.encode()):
                return self._problem(
                    request, visitor, 403, "The form is too old. Go back, reload the page, try again."
                )
            if not visitor.may(role):
                return self._beyond(request, visitor, role)
            return await run_in_threadpool(self._done, request, visitor, fields, does)

        return Route(ROOT + path, answer, methods=["POST"])

    async def missing(self, request: Request, _error: Exception) -> Response:
        """What an address says that is no page's; to whoever is not let in, the same as every other."""
        return self._told_of(request, 404, "There is no such page.")

    async def broken(self, request: Request, error: Exception) -> Response:
        """What nobody foresaw: the log has all of it, the page none."""
        _log.error("page_failed", path=request.url.path, exc_info=error)
        return self._told_of(request, 500, "Something went wrong here. The keeper's log says what.")

    def _told_of(self, request: Request, status: int, why: str) -> Response:
        visitor = self._letting(request)
        return _to_login(request) if visitor is None else self._problem(request, visitor, status, why)

    def _beyond(self, request: Request, visitor: Visitor, role: Role) -> Response:
        why = f"This needs the role {role}; yours is {visitor.role}."
        return self._problem(request, visitor, 403, why)

    def _shown(self, request: Request, visitor: Visitor, template: str, shows: Shows) -> Response:
        try:
            content = shows(self.site, request, visitor)
        except _FORESEEN as error:
            return self._failed(request, visitor, error)
        return HTMLResponse(self.site.html(template, request, visitor, **content))

    def _given(self, request: Request, visitor: Visitor, gives: Gives, headers: dict[str, str]) -> Response:
        try:
            return HTMLResponse(gives(self.site, request, visitor), headers=headers)
        except _FORESEEN as error:
            return self._failed(request, visitor, error)

    def _told(self, request: Request, visitor: Visitor, shows: Shows) -> Response:
        try:
            return _json(shows(self.site, request, visitor))
        except _FORESEEN as error:
            return _json({"error": str(error)}, _status(error))

    def _done(self, request: Request, visitor: Visitor, fields: dict[str, str], does: Does) -> Response:
        try:
            then = does(self.site, visitor, dict(request.path_params), fields)
        except _FORESEEN as error:
            return self._failed(request, visitor, error)
        return RedirectResponse(ROOT + then, status_code=303)

    def _failed(self, request: Request, visitor: Visitor, error: Exception) -> Response:
        return self._problem(request, visitor, _status(error), str(error.args[0] if error.args else error))

    def _problem(self, request: Request, visitor: Visitor, status: int, why: str) -> Response:
        return HTMLResponse(self.site.html("problem.html", request, visitor, status=status, why=why), status)


async def form_fields(request: Request) -> dict[str, str] | None:
    """The fields of a form, the last of a name; None where it is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return None
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _to_login(request: Request) -> Response:
    """To the form, and from there back to the page that was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = f"?next={quote(asked, safe='/')}" if request.method == "GET" and asked != f"{ROOT}/" else ""
    return RedirectResponse(f"{ROOT}/login{wanted}", status_code=303)


def _not_for(visitor: Visitor | None) -> Response:
    return _json({"error": "not for you"}, 401 if visitor is None else 403)


def _status(error: Exception) -> int:
    if isinstance(error, LookupError):
        return 404
    if isinstance(error, ValueError):
        return 400
    return 409 if isinstance(error, SluicegateError) else 503


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
