"""The web view: everything as JSON at /status.json, and a page that shows it at /.

Beside them ``/metrics`` for Prometheus, and what probes ask: ``/livez``, and ``/readyz``, 200 once it has
read all that was there when it started.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
from faust.web.base import BlueprintManager

from streams.metrics import MonitorMetrics

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

    told = MonitorMetrics(state.status()["pipeline"], state.status)

    async def metrics(view: View, request: Request) -> Response:
        del request
        return view.bytes(told.text(), content_type=told.CONTENT_TYPE, headers=_HEADERS)

    async def live(view: View, request: Request) -> Response:
        del request
        return view.text("ok\n", headers=_HEADERS)

    async def ready(view: View, request: Request) -> Response:
        del request
        known = state.status()["caught_up"]
        return view.text("ok\n" if known else "not now\n", status=200 if known else 503, headers=_HEADERS)

    async def index(view: View, request: Request) -> Response:
        del request
        return view.html(page, headers=_PAGE_HEADERS)

    app.page("/status.json", name="status")(status)
    app.page("/metrics", name="metrics")(metrics)
    app.page("/livez", name="live")(live)
    app.page("/readyz", name="ready")(ready)
    app.page("/", name="index")(index)
