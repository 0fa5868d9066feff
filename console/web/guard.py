"""What is refused before any page is asked: other names of this host, and forms of other sites."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse

from console.web.proxied import LOOPBACK_NAMES, host_name

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from console.web.proxied import Proxied

_SAFE = {"GET", "HEAD"}


class Guard:
    """Lets requests pass that name a host we go by, and changes that a page of ours asks for.

    A page of another site can make its own name lead to this address; then the browser counts it as ours.
    It can also send a form here: browsers say so in ``Sec-Fetch-Site``, or else in ``Origin``.
    """

    def __init__(self, app: ASGIApp, proxied: Proxied, hosts: frozenset[str] | None) -> None:
        """``hosts``: the names that are ours beside those of loopback; None: every name."""
        self._app = app
        self._proxied = proxied
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or say why not."""
        why = self._refusal(HTTPConnection(scope), str(scope["method"])) if scope["type"] == "http" else None
        if why is None:
            await self._app(scope, receive, send)
            return
        status, words = why
        await PlainTextResponse(f"{words}\n", status)(scope, receive, send)

    def _refusal(self, request: HTTPConnection, method: str) -> tuple[int, str] | None:
        host = self._proxied.host(request)
        names = {host_name(host), host_name(request.headers.get("host", "").lower())}
        if self._hosts is not None and not names <= self._hosts | LOOPBACK_NAMES:
            return 421, "The console does not go by this name. It can be declared: console.hosts."
        if method not in _SAFE and not _is_ours(request, host):
            return 403, "This was sent by a page of another site."
        return None


def _is_ours(request: HTTPConnection, host: str) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host
    except ValueError:
        return False
