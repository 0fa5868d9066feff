"""The web view: everything as JSON at /status.json, and a page that shows it at /."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
from faust.web.base import BlueprintManager

if TYPE_CHECKING:
    from faust import App
    from faust.web import Request, Response, View

    from streams.monitor.state import MonitorState

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_PAGE_HEADERS = {
    **_HEADERS,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def serve(app: App, state: MonitorState) -> None:
    """Show ``state`` on the web server of ``app``, and none of faust's own pages."""
    app.web.blueprints = BlueprintManager([])
    page = files("streams.monitor").joinpath("page.html").read_text(encoding="utf-8")

    async def status(view: View, request: Request) -> Response:
        del request
        body = msgspec.json.encode(state.status())
        return view.bytes(body, content_type="application/json", headers=_HEADERS)

    async def index(view: View, request: Request) -> Response:
        del request
        return view.html(page, headers=_PAGE_HEADERS)

    app.page("/status.json", name="status")(status)
    app.page("/", name="index")(index)
