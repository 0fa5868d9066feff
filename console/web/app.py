"""The console as one ASGI application."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from console.listening import names_of
from console.users import Users
from console.web.access import Access
from console.web.guard import Guard
from console.web.headers import SafeHeaders
from console.web.proxied import Proxied
from console.web.routing import Routes
from console.web.sections import SECTIONS
from console.web.site import ROOT, Site, templates

if TYPE_CHECKING:
    from starlette.requests import Request

    from training.keeper.desk import Desk


def console_pages(desk: Desk, token: str, monitor_url: str | None = None) -> Starlette:
    """The pages below ``/console``, and ``/`` that leads there.

    ``token`` lets the person who started the keeper in, by the link that ``sluicegate up`` prints.
    """
    environment = templates()
    environment.globals["sections"] = SECTIONS
    site = Site(desk, environment, monitor_url)
    settings, spec = desk.parts.settings, desk.parts.pipeline.console
    proxied = Proxied(spec.proxy)
    access = Access(site, token, Users(settings.state_dir), proxied)
    desk.audit.bring = access.note_changes
    to = Routes(site, access.visitor)
    static = resources.files("console.web").joinpath("static")
    routes = [
        Route("/", _to_console, methods=["GET"]),
        Route(ROOT, _to_console, methods=["GET"]),
        Mount(f"{ROOT}/static", StaticFiles(directory=str(static))),
        *access.routes(),
        *(route for section in SECTIONS for route in section.routes(to)),
    ]
    guard = Middleware(Guard, proxied=proxied, hosts=names_of(settings.host, spec))
    middleware = [Middleware(SafeHeaders), guard]
    return Starlette(
        routes=routes, middleware=middleware, exception_handlers={404: to.missing, Exception: to.broken}
    )


async def _to_console(_request: Request) -> Response:
    return RedirectResponse(f"{ROOT}/", status_code=303)
